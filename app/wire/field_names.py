"""Names of header fields in lower case: those that come with nearly every message are found, not made anew."""

from typing import Final

_USUAL: Final = (
    *(b"accept", b"accept-encoding", b"accept-language", b"authorization", b"cache-control"),
    *(b"cf-cache-status", b"cf-ray", b"connection", b"content-length", b"content-type", b"date"),
    *(b"host", b"openai-organization", b"openai-processing-ms", b"openai-version", b"server"),
    *(b"set-cookie", b"strict-transport-security", b"transfer-encoding", b"user-agent", b"vary"),
    *(b"x-api-key", b"x-request-id", b"x-content-type-options"),
    *(b"x-ratelimit-limit-requests", b"x-ratelimit-limit-tokens"),
    *(b"x-ratelimit-remaining-requests", b"x-ratelimit-remaining-tokens"),
    *(b"x-ratelimit-reset-requests", b"x-ratelimit-reset-tokens"),
    *(b"x-stainless-arch", b"x-stainless-async", b"x-stainless-lang", b"x-stainless-os"),
    *(b"x-stainless-package-version", b"x-stainless-read-timeout", b"x-stainless-retry-count"),
    *(b"x-stainless-runtime", b"x-stainless-runtime-version", b"x-stainless-timeout"),
)
# As they come: in lower case, as most write them, and as OpenAI's SDKs write one of theirs. None holds an underscore.
USUAL_NAMES: Final[dict[bytes, bytes]] = {
    b"X-Stainless-OS": b"x-stainless-os",
    **{form: name for name in _USUAL for form in (name, name.title())},
}
