"""Small sentence-transformers models with random weights, saved as that library saves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEXTS = [
    "The contract was signed in March.",
    "Who signed it?",
    "the tenant pays for electricity, while heating and water are included in the rent",
    "图尔敏的《论证的运用》出版于1958年，书中提出了六个要素。",
    "讀書會每兩週一次，改在週四晚上。",
    "会费每人每年多少元？",
]
PROMPTED = "query: passage: the a"
LONG = " ".join(TEXTS * 9)


def tokenizer(*, pieces: bool) -> Any:
    """WordPiece as BERT has it, or a Unigram of SentencePiece as XLM-R has it (`pieces`)."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = (
        ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if pieces else "[CLS] [PAD] [SEP] [UNK] [MASK]".split()
    )
    cls, pad, sep, unk, mask = names
    if pieces:
        words = {f"▁{word}": -2.0 for text in [*TEXTS, PROMPTED] for word in text.split() if word.isascii()}
        chars = dict.fromkeys(sorted(set("".join(TEXTS) + "▁") - {" "}), -9.0)
        vocabulary = [(name, 0.0) for name in names] + list((words | chars).items())
        made = Tokenizer(models.Unigram(vocabulary, unk_id=names.index(unk)))
        made.pre_tokenizer = pre_tokenizers.Metaspace()
    else:
        plain = "".join(char if char.isalnum() else " " for char in " ".join([*TEXTS, PROMPTED]).lower())
        chars = sorted(set("".join([*TEXTS, PROMPTED]).lower()) - {" "})
        pieces_of = dict.fromkeys([*names, *plain.split(), *chars, *(f"##{char}" for char in chars)])
        made = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces_of)}, unk_token=unk))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pair = f"{cls} $A {sep} {sep} $B {sep}" if pieces else f"{cls} $A {sep} $B:1 {sep}:1"
    ends = [(cls, names.index(cls)), (sep, names.index(sep))]
    made.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=pair, special_tokens=ends
    )
    inputs = ["input_ids", "attention_mask", *([] if pieces else ["token_type_ids"])]
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        cls_token=cls,
        sep_token=sep,
        unk_token=unk,
        pad_token=pad,
        mask_token=mask,
        model_max_length=60,
        model_input_names=inputs,
    )


def save_encoder(
    folder: Path, kind: str, *, classifier: bool = False, labels: Sequence[str] = ("LABEL_0",)
) -> Path:
    """A transformer with its tokenizer. `kind`: bert, xlm-roberta, mpnet or distilbert."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

    words = tokenizer(pieces=kind == "xlm-roberta")
    small: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }
    if kind == "distilbert":
        small = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    more: dict[str, Any] = {}
    if classifier:
        more = {"id2label": dict(enumerate(labels)), "label2id": {name: n for n, name in enumerate(labels)}}
    config = AutoConfig.for_model(
        kind, vocab_size=len(words), max_position_embeddings=64, pad_token_id=1, **small, **more
    )
    torch.manual_seed(7)
    model = (AutoModelForSequenceClassification if classifier else AutoModel).from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm" not in name:  # as first drawn they are so small that all texts look alike
                weight.normal_(0, 0.3)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def save_sentence_model(
    folder: Path,
    kind: str,
    *,
    pooling: Any = "mean",
    prompts: dict[str, str] | None = None,
    dense: bool = False,
) -> Path:
    """A whole sentence-transformers model."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    encoder = Transformer(str(save_encoder(folder / "base", kind)))
    modules: list[Any] = [encoder, Pooling(32, pooling_mode=pooling)]
    if dense:
        torch.manual_seed(9)
        modules.append(Dense(modules[-1].get_embedding_dimension(), 24))
    made = SentenceTransformer(modules=[*modules, Normalize()], prompts=prompts, device="cpu")
    made.save(str(folder / "model"), create_model_card=False)
    return folder / "model"
