"""What others named, made safe to print: a model's name may hold anything, and a terminal takes orders from it."""


def plain(value: object) -> str:
    """*value* on one line: what is not printable stands there as its escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(value)
    )


def one_line(message: str) -> str:
    """*message* with every run of blanks and line ends as one blank, and nothing else unprintable."""
    return plain(" ".join(message.split()))
