from types import SimpleNamespace

from ray.exceptions import RpcError

from assay.cluster import drain

HERE = "node-1"


def on_this_node(monkeypatch, *answers):
    """Let Ray answer in turn; return the question and its clock."""
    context = SimpleNamespace(get_node_id=lambda: HERE)
    monkeypatch.setattr(drain.ray, "get_runtime_context", lambda: context)
    waiting = iter(answers)

    def answer():
        found = next(waiting)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(drain, "draining_nodes", answer)
    clock = SimpleNamespace(now=0.0)
    return drain.node_is_drained(lambda: clock.now), clock


def test_the_question_is_about_this_node(monkeypatch):
    ask, clock = on_this_node(monkeypatch, {"node-2": 0}, {HERE: 1234, "node-2": 0})
    assert ask() is False
    clock.now += drain.LOOK_SECONDS
    assert ask() is True


def test_ray_is_asked_every_two_seconds_only(monkeypatch):
    ask, clock = on_this_node(monkeypatch, {HERE: 0})
    assert ask() is True
    clock.now += drain.LOOK_SECONDS / 2
    assert ask() is True  # a second question to Ray would find no answer


def test_a_head_that_does_not_answer_is_no_warning_of_a_drain_and_is_told_once(monkeypatch, caplog):
    ask, clock = on_this_node(monkeypatch, RpcError("unavailable"), RpcError("still"), {HERE: 0})
    assert ask() is False
    clock.now += drain.LOOK_SECONDS
    assert ask() is False
    (told,) = caplog.messages
    assert "the head does not say which nodes are drained" in told
    assert "unavailable" in told
    clock.now += drain.LOOK_SECONDS
    assert ask() is True
