"""Texts that a careless relay would damage."""

TEXTS = {
    "umlauts": "Größe, naïve, Ångström",
    "several scripts": "日本語 العربية हिन्दी עברית",
    "emoji of several code points": "👩‍👩‍👧 🏳️‍🌈 🇨🇭 👍🏽",
    "line separators that are no line ends in JSON": "a\u2028b\u2029c\u0085d\x0be\x0cf",
    "line ends": "one\ntwo\r\nthree\rfour\n\nfive",
    "what looks like an event": 'data: [DONE]\n\ndata: {"error":{"message":"no"}}\n\nevent: error',
    "quotes, backslashes and escapes": r'"\" \u00e9 \/ {"a":[1e400, -0]} \n',
    "control characters": "\x00 \x01 \x1b[31m \x7f",
    "a byte order mark and what is not a character": "\ufeff\uffff\U0010ffff",
    "markup": "<script>&amp;</script>",
}
