"""Files of captions for tests."""

import json

from assay.captioning.metrics.pairs import Pairs, read_pairs


def write(path, *lines):
    """Write one JSON object a line; a string is written as it is."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def line(prediction="a phenol", reference="the phenol", **more):
    return {"prediction": prediction, "reference": reference, **more}


def of(tmp_path, *lines) -> Pairs:
    return read_pairs(write(tmp_path / "pairs.jsonl", *lines))[0]
