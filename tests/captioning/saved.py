"""Pretrained models as transformers saves them, small enough to be made here."""

from collections.abc import Sequence
from pathlib import Path


def save_tokenizer(folder: Path, texts: Sequence[str]) -> tuple[Path, int]:
    """Save a tokenizer of whole words; return its folder and the size of its vocabulary."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    kept = sorted({word for text in texts for word in text.split()})
    vocabulary = {word: k for k, word in enumerate(["<pad>", "</s>", "<unk>", *kept])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder, len(vocabulary)


def save_t5(folder: Path, captions: Sequence[str]) -> Path:
    """Save a tiny T5 of random weights with a tokenizer of whole words."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    _, words = save_tokenizer(folder, captions)
    config = T5Config(
        vocab_size=words, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4,
        decoder_start_token_id=0,
    )  # fmt: skip
    torch.manual_seed(3)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder
