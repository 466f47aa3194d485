import hashlib
import json
from importlib import metadata

from assay.chemistry.files import Rejected
from assay.chemistry.scored import listed, scored


def test_a_scored_file_is_known_by_name_content_and_what_scored_it(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x")

    said = scored(path, 3, ("numpy", "no-such-package"))

    assert (said["samples"], said["records"]) == ("a.jsonl", 3)
    assert said["sha256"] == hashlib.sha256(b"x").hexdigest()
    assert said["packages"] == {"numpy": metadata.version("numpy")}
    assert json.loads(json.dumps(said)) == said


def test_rejected_records_are_listed_with_their_reasons():
    assert listed([Rejected(4, "no molecule")]) == [{"record": 4, "reason": "no molecule"}]
