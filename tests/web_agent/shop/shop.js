// Asks about cookies until it has an answer, as shops do, and covers the page meanwhile.
if (!document.cookie.includes("consent=")) {
  const popup = document.createElement("div");
  popup.id = "cookies";
  popup.innerHTML = '<div role="dialog"><h2>We value your privacy</h2><p>May we set cookies?</p>' +
    '<button id="yes">Accept all</button> <button id="no">Reject all</button></div>';
  document.body.append(popup);
  const answer = value => { document.cookie = "consent=" + value + "; path=/"; popup.remove(); };
  popup.querySelector("#yes").onclick = () => answer("yes");
  popup.querySelector("#no").onclick = () => answer("no");
}
