"""A tiny GGUF model with random weights, for tests of structure: streaming, stops, schemas, counts. Never of quality.

`python tests/support/tiny_gguf.py PATH` writes one, about 150 KB.
"""

from __future__ import annotations

import sys
from pathlib import Path

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

_WIDTH = 32
_FEED_FORWARD = 64
_HEADS = 2
_CONTEXT = 4096
_SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")


def write_tiny_gguf(path: str | Path, seed: int = 0, with_chat_template: bool = True) -> Path:
    """Write the model to `path`. Equal seeds write equal files."""
    import gguf
    import numpy as np

    random = np.random.default_rng(seed)
    tokens, types = _vocabulary()
    path = Path(path)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny random model")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["h e"])  # the loader wants a list that is not empty
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    if with_chat_template:
        writer.add_chat_template(CHAT_TEMPLATE)

    def weights(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    ones = np.ones(_WIDTH, dtype=np.float32)
    writer.add_tensor("token_embd.weight", weights(len(tokens), _WIDTH))
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", weights(len(tokens), _WIDTH))
    writer.add_tensor("blk.0.attn_norm.weight", ones)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", weights(_WIDTH, _WIDTH))
    writer.add_tensor("blk.0.ffn_norm.weight", ones)
    writer.add_tensor("blk.0.ffn_gate.weight", weights(_FEED_FORWARD, _WIDTH))
    writer.add_tensor("blk.0.ffn_up.weight", weights(_FEED_FORWARD, _WIDTH))
    writer.add_tensor("blk.0.ffn_down.weight", weights(_WIDTH, _FEED_FORWARD))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary() -> tuple[list[str], list[int]]:
    """A token for each byte, in the printable letters that byte-level tokenizers write bytes with."""
    import gguf

    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}
    tokens = [letters[byte] for byte in range(256)] + ["he", *_SPECIAL]
    types = [gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * len(_SPECIAL)
    return tokens, types


if __name__ == "__main__":
    print(write_tiny_gguf(sys.argv[1]))
