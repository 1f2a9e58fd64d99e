"""Whether a webhook answers a login at all, and what else may be behind its URL.

Asked once before anything is played, so that one mistake of a command line is not told two hundred times.
"""

from __future__ import annotations

from typing import Final

from seamless_wallet.clients.error_text import excerpt
from seamless_wallet.clients.webhook import HttpAnswer, NotAReply, WebhookClient
from seamless_wallet.commands import Code

_OK: Final = 200


async def trouble_with(webhook: WebhookClient, text: bytes) -> str:
    """What is wrong with the answer to an event; nothing if it is any reply that can be read. Raises NoAnswer."""
    answer = await webhook.post(webhook.seal(text))
    if answer.status != _OK:
        return f"answers HTTP {answer.status}, but a webhook answers every event with HTTP 200; check the URL"
    try:
        opened = webhook.open(answer)
    except NotAReply:
        return _trouble_with_seal(webhook, answer)
    try:
        reply = webhook.read(opened)
    except NotAReply as failure:
        return f"answers what opens to no reply ({failure}): it has another profile, cipher or key"
    return "answers R2: it knows another Api-Id or cipher, or refuses this address" if reply.code is Code.R2 else ""


def _trouble_with_seal(webhook: WebhookClient, answer: HttpAnswer) -> str:
    """Why an answer may not open."""
    if b"R2" in answer.body:
        return f"answers {excerpt(answer.body)}: it knows another Api-Id, Api-Key or cipher"
    if answer.headers.get("Api-Key") == webhook.headers["Api-Key"]:
        return "knows the Api-Key, but its answer does not open with it: it has another cipher or key encoding"
    return f"answers {excerpt(answer.body)!r}, which does not open with the key; check the URL, the cipher and the key"
