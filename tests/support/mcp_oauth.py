"""An MCP server behind OAuth, with the authorization server that belongs to it; and a user who agrees to everything."""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, construct_redirect_uri
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

SCOPE = "use"
LIFETIME = 3600
CALLBACK = "http://127.0.0.1:9/callback"


class Authority:
    """Registers clients and issues tokens, as the SDK's server asks for it. It keeps all in memory."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self._clients: dict[str, Any] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self.access: dict[str, AccessToken] = {}

    async def get_client(self, client_id: str) -> Any:
        return self._clients.get(client_id)

    async def register_client(self, client_info: Any) -> None:
        self.log.append("registered")
        self._clients[client_info.client_id] = client_info

    async def authorize(self, client: Any, params: Any) -> str:
        self.log.append("authorized")
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            scopes=params.scopes or [SCOPE],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self._codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, client: Any, authorization_code: str) -> Any:
        return self._codes.get(authorization_code)

    async def exchange_authorization_code(self, client: Any, authorization_code: Any) -> OAuthToken:
        self.log.append("exchanged")
        del self._codes[authorization_code.code]
        return self._issue(client.client_id, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client: Any, refresh_token: str) -> Any:
        return self._refresh.get(refresh_token)

    async def exchange_refresh_token(self, client: Any, refresh_token: Any, scopes: list[str]) -> OAuthToken:
        self.log.append("refreshed")
        del self._refresh[refresh_token.token]
        return self._issue(client.client_id, scopes or refresh_token.scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> Any:
        found = self.access.get(token)
        return found if found is not None and (found.expires_at or 0) > time.time() else None

    async def revoke_token(self, token: Any) -> None:
        self.access.pop(token.token, None)

    def _issue(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        token, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.access[token] = AccessToken(
            token=token,
            client_id=client_id,
            scopes=scopes,
            expires_at=int(time.time()) + LIFETIME,
            resource=resource,
        )
        self._refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes, resource=resource)
        return OAuthToken(
            access_token=token,
            token_type="Bearer",
            expires_in=LIFETIME,
            scope=" ".join(scopes),
            refresh_token=refresh,
        )


def make_guarded_server(url: str, authority: Authority) -> MCPServer:
    """A server with one tool at `url`, which only those may use that `authority` has let in."""
    root = url.removesuffix("/mcp")
    server = MCPServer(
        "guarded",
        auth_server_provider=authority,  # type: ignore[arg-type]
        auth=AuthSettings(
            issuer_url=root,  # type: ignore[arg-type]
            resource_server_url=url,  # type: ignore[arg-type]
            required_scopes=[SCOPE],
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
            ),
            validate_token_resource=True,
        ),
    )

    @server.tool(structured_output=False)
    def secret() -> str:
        """Tells a secret."""
        return "the cat is in"

    return server


class Storage:
    """Where a program keeps its tokens."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def user_who_agrees(url: str, storage: Storage) -> OAuthClientProvider:
    """The SDK's OAuth for a program, with a user who visits the page that is shown and comes back with a code."""
    answers: list[AuthorizationCodeResult] = []

    async def visit(address: str) -> None:
        async with httpx2.AsyncClient(follow_redirects=False) as browser:
            response = await browser.get(address)
        query = parse_qs(urlsplit(response.headers["location"]).query)
        answers.append(
            AuthorizationCodeResult(
                code=query["code"][0], state=query["state"][0], iss=query["iss"][0] if "iss" in query else None
            )
        )

    async def come_back() -> AuthorizationCodeResult:
        return answers.pop()

    return OAuthClientProvider(
        url,
        OAuthClientMetadata(
            client_name="an agent",
            redirect_uris=[CALLBACK],  # type: ignore[list-item]
            grant_types=["authorization_code", "refresh_token"],
            scope=SCOPE,
        ),
        storage,
        visit,
        come_back,
    )
