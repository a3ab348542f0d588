"""Real code: pure-Python modules of the standard library, compiled by the executor, give what they give natively."""

from __future__ import annotations

import importlib
import inspect
import warnings

import pytest
from differential import shown

from smolagents.local_python_executor import InterpreterError, LocalPythonExecutor

OPERATORS_OF_TWO = (
    "add sub mul floordiv mod truediv pow lshift rshift and_ or_ xor lt le eq ne gt ge is_ is_not iadd isub imul "
    "ifloordiv imod itruediv iand ior ixor"
).split()
DECIMAL_OF_ONE = (
    "adjusted as_integer_ratio as_tuple canonical conjugate copy_abs copy_negate exp is_canonical is_finite "
    "is_infinite is_nan is_normal is_qnan is_signed is_snan is_subnormal is_zero ln log10 logb logical_invert "
    "next_minus next_plus normalize number_class radix sqrt to_eng_string to_integral to_integral_exact "
    "to_integral_value __abs__ __neg__ __pos__ __int__ __float__ __str__ __repr__ __hash__ __bool__ __complex__ "
    "__trunc__ __floor__ __ceil__"
).split()
DECIMAL_OF_TWO = (
    "compare compare_signal compare_total compare_total_mag copy_sign max max_mag min min_mag quantize "
    "remainder_near same_quantum __add__ __sub__ __mul__ __truediv__ __floordiv__ __mod__ __divmod__ __pow__ __eq__ "
    "__lt__ __le__ __gt__ __ge__ __radd__ __rsub__ __rmul__"
).split()
FRACTION_OF_ONE = (
    "limit_denominator as_integer_ratio __abs__ __neg__ __pos__ __trunc__ __floor__ __ceil__ __round__ __hash__ "
    "__bool__ __str__ __repr__"
).split()
FRACTION_OF_TWO = "__add__ __sub__ __mul__ __truediv__ __floordiv__ __mod__ __divmod__ __eq__ __lt__ __ge__".split()
TEXT = "'The quick brown fox jumped over the lazy dog. It was a long, long way down the hill.'"
DATA = "[2.5, 3.25, 5.5, 11.0, 11.5, 2.5]"

CALLS: dict[str, list[str]] = {
    "textwrap": [
        f"wrap({TEXT}, 20)", f"fill({TEXT}, 30, initial_indent='* ')", f"shorten({TEXT}, 40)",
        "dedent('  a\\n    b\\n')", "indent('a\\n\\nb', '> ')", f"TextWrapper(width=15, max_lines=2).wrap({TEXT})",
        f"TextWrapper(width=9, break_long_words=True, fix_sentence_endings=True).fill({TEXT})",
    ],
    "heapq": [
        "(lambda h: (heapify(h), [heappop(h) for _ in range(5)]))([5, 3, 8, 1, 9])",
        "(lambda h: [heappush(h, x) for x in (4, 1, 3)] and h)([])", "heappushpop([1, 4, 9], 0)",
        "heapreplace([1, 4, 9], 7)", "nlargest(3, [5, 1, 9, 2, 7])", "nsmallest(2, 'hello', key=ord)",
        "list(merge([1, 4], [2, 3], [0, 9]))", "list(merge([9, 1], [5], reverse=True))",
    ],
    "bisect": ["bisect([1, 3, 5], 3)", "bisect_left([1, 3, 5], 3)", "bisect_right([1, 3, 5], 4, 1)",
               "(lambda l: insort(l, 4) or l)([1, 9])", "(lambda l: insort_left(l, 4) or l)([1, 4, 9])"],
    "statistics": [
        *(f"{name}({DATA})" for name in
          "mean fmean median median_low median_high median_grouped mode multimode stdev variance pstdev pvariance "
          "geometric_mean harmonic_mean quantiles".split()),
        f"quantiles({DATA}, n=10, method='inclusive')", f"correlation({DATA}, {DATA})", f"covariance({DATA}, {DATA})",
        f"linear_regression({DATA}, {DATA})", "NormalDist(5, 2).cdf(6)", "NormalDist(5, 2).inv_cdf(0.3)",
        "NormalDist(5, 2).overlap(NormalDist(6, 1))", "NormalDist.from_samples([1, 2, 3, 4])", "NormalDist(1) + 5",
        "NormalDist(1, 2).pdf(0)", "NormalDist(1, 2).quantiles(4)", "NormalDist(1, 2).zscore(4)", "mean([])",
    ],
    "fractions": [
        *(f"Fraction(22, 7).{name}()" for name in FRACTION_OF_ONE),
        *(f"Fraction(22, 7).{name}(Fraction(-3, 4))" for name in FRACTION_OF_TWO),
        "Fraction('3.14')", "Fraction(0.5)", "Fraction.from_float(0.25)", "Fraction(1, 0)", "Fraction(2, 3) ** 3",
        "Fraction('1/3') + 1", "sum([Fraction(1, n) for n in range(1, 20)])", "round(Fraction(22, 7), 2)",
    ],
    "difflib": [
        "SequenceMatcher(None, 'abcd', 'bcde').ratio()", "SequenceMatcher(None, 'abcd', 'bcde').get_opcodes()",
        "SequenceMatcher(None, 'abxcd', 'abcd').get_matching_blocks()", "SequenceMatcher(None, 'ab', 'ba').quick_ratio()",
        "SequenceMatcher(None, 'abxcd', 'abcd').find_longest_match(0, 5, 0, 4)",
        "get_close_matches('appel', ['ape', 'apple', 'peach'])", "list(ndiff(['a', 'b'], ['a', 'c']))",
        "list(unified_diff(['a', 'b'], ['a', 'c'], lineterm=''))", "list(context_diff(['a', 'b'], ['a', 'c']))",
        "list(restore(list(ndiff(['a', 'b'], ['a', 'c'])), 1))", "IS_LINE_JUNK('#')", "IS_CHARACTER_JUNK(' ')",
        "list(Differ().compare(['one', 'two'], ['ore', 'tree']))", "len(HtmlDiff().make_table(['a'], ['b'])) > 100",
    ],
    "colorsys": [f"{name}(0.2, 0.4, 0.6)" for name in
                 ("rgb_to_yiq", "yiq_to_rgb", "rgb_to_hls", "hls_to_rgb", "rgb_to_hsv", "hsv_to_rgb")],
    "calendar": [
        "isleap(2024)", "leapdays(1990, 2024)", "weekday(2024, 2, 29)", "monthrange(2024, 2)", "month(2024, 2)",
        "monthcalendar(2024, 2)", "timegm((2024, 1, 1, 0, 0, 0))", "calendar(2024)[:200]", "TextCalendar(6).formatmonth(2023, 5)",
        "HTMLCalendar().formatmonth(2023, 5)", "list(Calendar().itermonthdays(2024, 2))",
        "list(Calendar().itermonthdates(2024, 2))[:3]", "Calendar().yeardayscalendar(2024)[0][0]",
        "TextCalendar().formatweekheader(3)", "Calendar().monthdays2calendar(2024, 2)",
    ],
    "operator": [
        *(f"{name}({a}, {b})" for name in OPERATORS_OF_TWO for a, b in (("12", "5"), ("7", "3"))),
        *(f"{name}({a})" for name in "abs index inv neg pos truth not_".split() for a in ("5", "-3")),
        "concat('a', 'b')", "contains([1], 1)", "countOf([1, 1], 1)", "indexOf([1, 2], 2)", "getitem([1, 2], 1)",
        "itemgetter(1, 0)('ab')", "attrgetter('real', 'imag')(3j)", "methodcaller('upper')('a')", "length_hint([1, 2])",
        "iconcat([1], [2])", "matmul(1, 2)",
    ],
    "_pydecimal": [
        *(f"Decimal({value!r}).{name}()" for name in DECIMAL_OF_ONE for value in ("1.25", "-101")),
        *(f"Decimal('7.5').{name}(Decimal('2'))" for name in DECIMAL_OF_TWO),
        "Decimal('1') / Decimal('3')", "Decimal('NaN')", "Decimal('1e500') * 2", "Decimal('x')",
        "Context(prec=5).divide(1, 3)", "Context(prec=5).sqrt(2)", "Decimal('2.675').quantize(Decimal('0.01'))",
        "'{:.3f} {:>12,} {:e}'.format(Decimal('3.14159'), Decimal('1234567'), Decimal('0.0001'))",
        "Decimal('3').fma(2, 3)", "Decimal('1.5').scaleb(3)", "Decimal('123').shift(1)", "Decimal('123').rotate(1)",
    ],
    "string": ["capwords('hello big world')", "Template('$a ${b}').substitute(a=1, b=2)", "ascii_letters",
               "Template('$a $b').safe_substitute(a=1)", "Formatter().format('{0} {x:>5}', 1, x=2)",
               "Formatter().vformat('{} {}', (1, 2), {})"],
    "shlex": ["split('a \"b c\" d')", "quote('a b')", "join(['a', 'b c'])", "list(shlex('a=b; c'))"],
    "ipaddress": [
        "ip_address('192.168.0.1') + 5", "ip_network('10.0.0.0/30').num_addresses", "list(ip_network('10.0.0.0/30').hosts())",
        "ip_address('::1').is_loopback", "ip_address('10.0.0.1').is_private", "ip_address('2001:db8::1').exploded",
        "ip_interface('10.0.0.5/24').network", "list(ip_network('10.0.0.0/30').subnets())",
        "collapse_addresses([ip_network('10.0.0.0/25'), ip_network('10.0.0.128/25')]).__next__()",
        "ip_address('256.1.1.1')", "ip_network('10.0.0.0/8').supernet(1)", "v4_int_to_packed(5)",
        "ip_address('1.2.3.4').reverse_pointer", "ip_network('10.0.0.0/30').overlaps(ip_network('10.0.0.0/8'))",
        "list(summarize_address_range(IPv4Address('10.0.0.0'), IPv4Address('10.0.0.5')))",
    ],
    "pprint": ["pformat({'a': list(range(40)), 'b': {'c': 1}})", "pformat([1, (2,)], width=3)", "isreadable([1])",
               "saferepr({'b': 1, 'a': 2})", "isrecursive([1])"],
    "fnmatch": ["fnmatchcase('abc.py', '*.py')", "filter(['a.py', 'b.c'], '*.py')", "translate('a*[!b]?')"],
    "graphlib": ["list(TopologicalSorter({'d': {'b', 'c'}, 'b': {'a'}, 'c': {'a'}}).static_order())[0::3]",
                 "list(TopologicalSorter({'a': {'b'}, 'b': {'a'}}).static_order())"],
    "copy": ["copy([1, [2]])", "deepcopy({'a': [1, (2, [3])]})"],
    "html": ["escape('<a href=\"x\">')", "unescape('&lt;&amp;&eacute;&#65;')"],
    "json.encoder": ["JSONEncoder(indent=2, sort_keys=True).encode({'b': [1, None], 'a': 1.5})",
                     "py_encode_basestring('a\"b')", "py_encode_basestring_ascii('é')", "JSONEncoder().encode(object)"],
    "json.decoder": ["JSONDecoder().decode('{\"a\": [1, 2.5, null, true]}')", "JSONDecoder().raw_decode('[1] x')",
                     "py_scanstring('abc\"', 0)", "JSONDecoder().decode('{')"],
    "random": ["Random(3).random()", "Random(3).sample(range(100), 5)", "Random(3).choices('abc', k=4)",
               "(lambda r, l: r.shuffle(l) or l)(Random(3), list(range(8)))", "Random(3).gauss(0, 1)",
               "Random(3).betavariate(1, 2)", "Random(3).triangular()", "Random(3).expovariate(2)",
               "Random(3).normalvariate(0, 1)", "Random(3).lognormvariate(0, 1)", "Random(3).vonmisesvariate(0, 1)",
               "Random(3).gammavariate(1, 2)", "Random(3).paretovariate(1)", "Random(3).weibullvariate(1, 2)",
               "Random(3).randrange(5, 50, 5)", "Random(3).randbytes(4)", "Random(3).uniform(1, 2)"],
    "base64": ["b64encode(b'hello')", "b64decode('aGVsbG8=')", "b32encode(b'hi')", "b85encode(b'hello')",
               "a85encode(b'hello')", "b16encode(b'hi')", "urlsafe_b64encode(b'\\xff\\xfe')", "b85decode(b'Xk~0{Zv')"],
    "quopri": ["encodestring(b'a=b')", "decodestring(b'a=3Db')"],
    "keyword": ["iskeyword('for')", "issoftkeyword('match')"],
    "numbers": ["isinstance(1, Integral)", "isinstance(1.0, Real)"],
    "posixpath": ["join('a', 'b')", "split('/a/b')", "splitext('a.b.c')", "normpath('a/../b')", "basename('/a/b')",
                  "dirname('/a/b')", "isabs('/a')", "commonprefix(['abc', 'abd'])", "commonpath(['/a/b', '/a/c'])",
                  "relpath('/a/b', '/a/c')"],
    "tokenize": ["[t.string for t in generate_tokens(iter(['x = 1\\n', '']).__next__)]"],
    "email.utils": ["parseaddr('A B <a@b.c>')", "formataddr(('A', 'a@b.c'))", "quote('a\"b')", "unquote('\"a\"')"],
    "urllib.parse": ["urlparse('http://a:b@c.d:80/e;f?g=h#i')", "urlsplit('//x/y')", "urljoin('http://a/b/c', '../d')",
                     "quote('a b/ü')", "unquote('a%20b')", "urlencode({'a': 1, 'b': [2, 3]}, doseq=True)",
                     "parse_qs('a=1&a=2')", "parse_qsl('a=1')", "quote_plus('a b')", "urldefrag('a#b')"],
}  # fmt: skip


def outcome(evaluate, call):
    try:
        return shown(evaluate(call))
    except InterpreterError as error:
        return type(error.__cause__).__name__
    except Exception as error:
        return type(error).__name__


def test_there_are_hundreds_of_calls():
    assert sum(map(len, CALLS.values())) >= 400


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_module(name):
    module = importlib.import_module(name)
    source = inspect.getsource(module)
    if name in ("heapq", "bisect", "operator", "statistics"):  # keep the code in Python, not its twin in C
        source = source.replace("from _heapq import", "from _nothing import").replace(
            "from _bisect import", "from _no import"
        )
        source = source.replace("from _operator import *", "raise ImportError")
    executor = LocalPythonExecutor(["*"], timeout_seconds=60)
    executor.state["__name__"] = name
    executor(source)
    if name == "calendar" and hasattr(module, "Month"):  # it writes these into the module it thinks it is
        executor("globals().update({**Month.__members__, **Day.__members__})")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        different = {
            call: (theirs, ours)
            for call in CALLS[name]
            if (ours := outcome(lambda c: executor(c).output, call))
            != (theirs := outcome(lambda c: eval(c, dict(vars(module))), call))
        }
    assert different == {}
