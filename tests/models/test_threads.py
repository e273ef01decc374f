"""One model, several threads: what TransformerLens's own calls see and change beside a thread that writes, and whose
hooks act where.
"""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
import time
import weakref

import pytest
import sample_records
import torch

from saewidgets.models import Edit, Model, gate, load_model
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import Steerer
from saewidgets.widgets import ClampPanel

HOOK, LATER = "blocks.0.hook_resid_post", "blocks.1.hook_resid_post"
N = 60  # calls of each kind beside a thread that writes
PATIENCE = 60


def _has_hooked_transformer() -> bool:
    try:
        from transformer_lens import HookedTransformer  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.fixture(params=["hooked", "bridge"] if _has_hooked_transformer() else ["bridge"])
def model(request, tiny_folder):
    """Fresh: its hooks and weights may be touched."""
    return load_model(tiny_folder, backend=request.param)


def text(model, edit=None, **options):
    options = {"n_tokens": 8, "temperature": 0.7, "seed": 3} | options
    return [(t, p) for t, p, _ in model.stream([0, 9, 8], edit=edit, **options)]


def strong(x, start):
    return x + 5.0


class Beside:
    """A thread that calls a function again and again, and keeps every answer that is not the first one."""

    def __init__(self, call):
        self.call, self.first, self.others, self.n = call, call(), [], 0
        self.stop, self.error = threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.stop.is_set():
                found = self.call()
                self.n += 1
                if found != self.first:
                    self.others.append(found)
        except BaseException as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        end = time.monotonic() + PATIENCE
        while self.n < 3 and self.error is None and time.monotonic() < end:  # it gets its turn, too
            time.sleep(0.01)
        self.stop.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive() and self.error is None, self.error
        assert self.n >= 3 and self.others == []


def cached(model, ids):
    with torch.no_grad():
        logits, cache = model.hooked.run_with_cache(ids)
    return [logits, cache[HOOK], cache[LATER]]


def hooked_run(model, ids):
    with torch.no_grad():
        return [model.hooked.run_with_hooks(ids, fwd_hooks=[(HOOK, lambda value, hook: value * 0 + 3.0)])]


def held(model, ids):
    with torch.no_grad(), model.hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: value * 0 + 3.0)]):
        return [model.hooked(ids), model.hooked(ids)]


def added(model, ids):
    kept = []
    model.hooked.add_hook(HOOK, lambda value, hook: kept.append(value.clone()) or value * 2)
    try:
        with torch.no_grad():
            logits = model.hooked(ids)
            time.sleep(0.001)
        return [logits, *kept]
    finally:
        model.hooked.reset_hooks()


def plain(model, ids):
    with torch.no_grad():
        return [model.hooked(ids)]


# -- beside a thread that writes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("call", [cached, hooked_run, held, added, plain])
def test_a_call_of_transformer_lenss_own_and_a_text_leave_each_other_alone(model, call, use_decoder):
    model.use_decoder = use_decoder
    ids = torch.tensor([[0, 5, 6, 7, 11]])
    expected = call(model, ids)
    with Beside(lambda: text(model, Edit(HOOK, strong))):
        for _ in range(N):
            found = call(model, ids)
            assert len(found) == len(expected) and all(map(torch.equal, found, expected))
    assert all(map(torch.equal, call(model, ids), expected))


def test_a_text_keeps_its_bits_beside_readings(model):
    """Which loop writes does not depend on the hooks that another thread's reading has on the model just now."""
    reading = Beside(lambda: model.read([0, 4, 5], [HOOK, LATER])[LATER].sum().item())
    clamped = Beside(lambda: model.logits([0, 4, 5], Edit(HOOK, strong)).sum().item())
    first = text(model, Edit(HOOK, strong))
    with reading, clamped:
        assert all(text(model, Edit(HOOK, strong)) == first for _ in range(N))


def test_two_threads_that_hold_hooks_take_turns(model):
    """TransformerLens counts one level for all threads: who leaves first would take the other's hooks away and leave
    its own.
    """
    ids = torch.tensor([[0, 5, 6]])

    def under(size):
        with model.hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: value * 0 + size)]), torch.no_grad():
            time.sleep(0.001)
            return model.hooked(ids).sum().item()

    with Beside(lambda: under(2.0)), Beside(lambda: under(3.0)):
        pass
    assert model.hooked.context_level == 0 and not model.hooked.hook_dict[HOOK].has_hooks()


# -- whose hooks act where -------------------------------------------------------------------------------------------


def in_thread(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()), daemon=True)
    thread.start()
    return thread, found


@pytest.mark.parametrize("use_decoder", [True, False])
def test_hooks_act_in_their_own_thread_and_the_others_wait_for_their_end(model, use_decoder):
    model.use_decoder = use_decoder
    clean = text(model)
    with model.hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: value * 0 + 3.0)]):
        own = text(model)
        thread, found = in_thread(lambda: text(model))
        thread.join(0.2)
        assert thread.is_alive() and not found
        assert text(model) == own != clean  # and nobody is kept from the model by one who waits
    thread.join(PATIENCE)
    assert found == [clean] and text(model) == clean


def test_a_text_goes_on_with_the_same_bits_after_another_threads_hooks(model):
    clean = text(model)
    stream = model.stream([0, 9, 8], n_tokens=8, temperature=0.7, seed=3)
    found = [next(stream)[:2] for _ in range(3)]
    model.hooked.add_hook(HOOK, lambda value, hook: value * 0)
    thread, rest = in_thread(lambda: [step[:2] for step in stream])
    thread.join(0.2)
    assert thread.is_alive()
    model.hooked.reset_hooks()
    thread.join(PATIENCE)
    assert found + rest[0] == clean


def test_hooks_for_good_act_in_every_thread(model):
    def heard(add):
        fired = []
        add(lambda *args, **kwargs: fired.append(threading.current_thread()))
        thread, _ = in_thread(lambda: text(model, n_tokens=1))
        thread.join(PATIENCE)
        return thread in fired

    point = model.hooked.hook_dict[HOOK]
    assert heard(lambda hook: model.hooked.add_perma_hook(HOOK, hook))
    assert heard(point.add_perma_hook)
    assert heard(point.register_forward_hook)


def test_hooks_that_an_ended_thread_left_keep_nobody_waiting(model):
    thread, _ = in_thread(lambda: model.hooked.add_hook(HOOK, lambda value, hook: value * 0 + 3.0))
    thread.join(PATIENCE)
    assert model.lock.waiting() == ""
    left = text(model)
    model.hooked.reset_hooks()
    assert text(model) != left


def test_whoever_waits_too_long_is_told_what_for_and_what_to_do(model, monkeypatch):
    monkeypatch.setattr(gate, "PATIENCE", 0.05)
    model.hooked.hook_dict[HOOK].add_hook(lambda value, hook: None)

    def refused():
        with pytest.raises(
            RuntimeError, match=r"waited 0.05 seconds.*a cell holds hooks.*reset_hooks\(\).*add_perma_hook"
        ) as error:
            model.logits([0, 1])
        return str(error.value)

    thread, found = in_thread(refused)
    thread.join(PATIENCE)
    assert model.hooked.hook_dict[HOOK].name in found[0]
    model.logits([0, 1])
    model.hooked.reset_hooks()
    thread, found = in_thread(lambda: model.logits([0, 1]))
    thread.join(PATIENCE)
    assert len(found) == 1


def test_a_stream_that_may_be_cancelled_waits_without_end_and_can_be_cancelled(model, monkeypatch):
    monkeypatch.setattr(gate, "PATIENCE", 0.0)
    stop = threading.Event()
    with model.hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: None)]):
        thread, found = in_thread(lambda: list(model.stream([0, 1], n_tokens=3, cancel=stop.is_set)))
        thread.join(0.3)
        assert thread.is_alive()
        stop.set()
        thread.join(PATIENCE)
    assert found == [[]]


# -- what is left behind ---------------------------------------------------------------------------------------------


def free(model):
    """Another thread may have the model at once."""
    thread, found = in_thread(lambda: model.lock.waiting() or model.logits([0, 1]).shape[1])
    thread.join(PATIENCE)
    return found == [2]


@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt])
def test_an_error_leaves_nothing_held(model, error):
    def broken(value, hook):
        raise error

    ids = torch.tensor([[0, 5]])
    with pytest.raises(error):
        model.hooked.run_with_hooks(ids, fwd_hooks=[(HOOK, broken)])
    with pytest.raises(error), model.hooked.hooks(fwd_hooks=[(HOOK, broken)]):
        model.hooked(ids)
    with pytest.raises(error):
        model.hooked.run_with_cache(ids, names_filter=lambda name: broken(None, None))
    with pytest.raises((AttributeError, KeyError)):
        model.hooked.add_hook("blocks.0.hook_nothing", broken)
    assert free(model) and model.lock.depth == 0


def test_an_abandoned_context_and_an_abandoned_stream_hold_nothing(model):
    def generator():
        with model.hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: None)]):
            yield model.hooked(torch.tensor([[0, 5]]))

    going = generator()
    next(going)
    thread, found = in_thread(model.lock.waiting)
    thread.join(PATIENCE)
    assert "hooks on this model" in found[0]
    del going
    gc.collect()
    stream = model.stream([0, 9, 8], n_tokens=8, temperature=0.7, seed=3)
    next(stream)
    assert free(model)
    del stream
    assert free(model)


def test_an_interrupt_at_any_line_of_the_gate_leaves_it_free():
    """By tracing: the exception is raised before each line that `with gate` runs in turn, nested and not.

    But not where Python looks for no interrupt: before a `with` statement ends, which shows as its line once more, and
    a return.
    """
    import linecache
    import sys

    class Stop(BaseException):
        pass

    def interrupted(at, nested):
        lock, lines, entered = gate.Gate(), 0, set()
        lock.hold("hooks", lambda: lines < at - 1)  # goes away while one waits

        def trace(frame, event, arg):
            nonlocal lines
            if frame.f_code.co_filename != gate.__file__:
                return None
            if event == "line":
                line = frame.f_lineno
                source = linecache.getline(gate.__file__, line).strip()
                if source == "return True":
                    return trace
                if source.startswith("with "):
                    if (id(frame), line) in entered:
                        return trace
                    entered.add((id(frame), line))
                lines += 1
                if lines == at:
                    raise Stop
            return trace

        def enter():
            with lock:
                if nested:
                    with lock:
                        pass

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            enter()
            stopped = False
        except Stop:
            stopped = True
        finally:
            sys.settrace(before)
        thread, found = in_thread(lambda: lock.acquire(timeout=5) and lock._next.acquire(timeout=5))
        thread.join(PATIENCE)
        assert found == [True], (at, nested)
        return stopped

    for nested in (False, True):
        at = 1
        while interrupted(at, nested):
            at += 1
        assert at > 5


# -- the object is as it was -----------------------------------------------------------------------------------------


def test_the_object_keeps_its_class_name_signature_and_is_let_go(model):
    hooked = model.hooked
    assert type(hooked).__name__ in ("HookedTransformer", "TransformerBridge")
    assert isinstance(hooked, type(hooked).__mro__[2]) and "gate" not in repr(type(hooked))
    assert gate.guard(hooked) is model.lock and len(type(hooked).__mro__) == len(type(hooked).__mro__[2].__mro__) + 2
    ref = weakref.ref(hooked)
    with hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: None)]):
        text(model)
    del hooked, model.hooked, model._passes
    gc.collect()
    assert ref() is None


def test_copies_share_the_gate_of_what_they_share(model):
    ids = torch.tensor([[0, 5, 6]])
    shallow = copy.copy(model.hooked)
    assert Model.wrap(shallow).lock is model.lock
    deep = copy.deepcopy(model.hooked)
    other = Model.wrap(deep)
    assert other.lock is not model.lock
    assert {id(point.__dict__[gate._KEY]) for point in deep.hook_dict.values()} == {id(other.lock)}
    assert torch.equal(deep(ids), model.hooked(ids)) and torch.equal(shallow(ids), deep(ids))
    with torch.no_grad():
        deep.unembed.W_U.data.zero_()
    assert not torch.equal(deep(ids), model.hooked(ids))
    with model.hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: value * 0)]):
        thread, found = in_thread(lambda: other.logits(ids))  # nothing to wait for
        thread.join(PATIENCE)
        assert len(found) == 1


@pytest.mark.skipif(not _has_hooked_transformer(), reason="a TransformerBridge cannot be pickled, guarded or not")
def test_a_pickle_knows_nothing_of_the_gate(tiny_folder):
    hooked = load_model(tiny_folder, backend="hooked").hooked
    stream = io.BytesIO()
    torch.save(hooked, stream)
    for content in (pickle.dumps(hooked), stream.getvalue()):
        assert b"saewidgets" not in content
    again = pickle.loads(pickle.dumps(hooked))
    assert type(again) is type(hooked).__mro__[2]
    assert torch.equal(again(torch.tensor([[0, 5]])), hooked(torch.tensor([[0, 5]])))


# -- an edit, or a hook, that asks the model -------------------------------------------------------------------------


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("ask", ["logits", "hooked", "read", "text"])
def test_what_an_edit_asks_of_the_model_is_a_pass_of_its_own(model, use_decoder, ask):
    model.use_decoder = use_decoder
    ids = torch.tensor([[0, 5, 6]])
    asked = {
        "logits": lambda: model.logits(ids, Edit(LATER, strong)),
        "hooked": lambda: model.hooked(ids),
        "read": lambda: model.read(ids, [HOOK])[HOOK],
        "text": lambda: text(model, n_tokens=2),
    }[ask]
    own, inner = asked(), []

    def asking(x, start):
        inner.append(asked())
        return x + 5.0

    edits = {True: Edit(HOOK, strong), False: Edit(HOOK, asking)}
    for run in (
        lambda plainly: model.logits([[0, 9, 8]], edits[plainly]),
        lambda plainly: model.read([[0, 9, 8]], ["blocks.0.hook_resid_pre", LATER], edits[plainly])[
            "blocks.0.hook_resid_pre"
        ],
        lambda plainly: text(model, edits[plainly]),
    ):
        expected, found = run(True), run(False)
        assert torch.equal(found, expected) if isinstance(expected, torch.Tensor) else found == expected
    assert inner and all(torch.equal(i, own) if isinstance(own, torch.Tensor) else i == own for i in inner)


def test_a_users_hook_that_asks_the_model_does_not_meet_the_clamp(model):
    ids, inner = torch.tensor([[0, 5, 6]]), []
    clean = model.logits(ids)

    def asking(value, hook):
        if not inner:
            inner.append(None)
            inner[0] = model.logits(ids)

    with model.hooked.hooks(fwd_hooks=[("blocks.0.hook_resid_pre", asking)]):
        model.logits([[0, 9]], Edit(HOOK, strong))
    assert torch.equal(inner[0], clean)


def test_the_score_of_a_gradient_may_ask_the_model(model):
    def score(logits):
        return logits[:, -1, 7] + 0 * model.logits([0, 3])[0, -1, 7]

    plainly = model.gradient([0, 9, 8], HOOK, lambda logits: logits[:, -1, 7])
    assert all(map(torch.equal, model.gradient([0, 9, 8], HOOK, score), plainly))


# -- a panel ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def panel(model):
    from saewidgets.models import site

    sae = SAE(SAEConfig(32, 512, "topk", k=4, site=site(model, HOOK)))
    with pytest.warns(UserWarning, match="does not fit"):
        steer = Steerer(model, sae)
    panel = ClampPanel(steer, sample_records.dashboard(), features=[31], prompt="The fog", n_tokens=6)
    yield panel
    panel.close()


def test_a_panel_waits_for_a_cells_hooks_says_so_and_goes_on(model, panel):
    panel.write()
    assert panel.wait(PATIENCE)
    clean = panel.default.text
    with model.hooked.hooks(fwd_hooks=[(HOOK, lambda value, hook: value * 0 + 3.0)]):
        panel.seed += 1
        end = time.monotonic() + PATIENCE
        while not panel.waiting and time.monotonic() < end:
            time.sleep(0.01)
        assert panel.waiting.startswith("a cell holds hooks on this model (hooks())")
        assert panel.status == "writing" and panel.default.text == ""
        panel.seed -= 1  # a newer job takes the place of the one that waits
        with pytest.raises(RuntimeError, match="cannot go on while this thread waits for it: a cell holds hooks"):
            panel.wait()
        panel.stop()
        assert (panel.status, panel.waiting) == ("stopped", "")
        panel.write()
    assert panel.wait(PATIENCE)
    assert (panel.status, panel.waiting, panel.default.text) == ("idle", "", clean)


# -- a real kernel ---------------------------------------------------------------------------------------------------


def test_cells_and_a_worker_in_a_real_kernel(capsys):
    """`scripts/threads.py`, with few calls: see there."""
    import importlib.util
    from pathlib import Path

    pytest.importorskip("jupyter_client")
    path = Path(__file__).resolve().parents[2] / "scripts" / "threads.py"
    spec = importlib.util.spec_from_file_location("threads_script", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    backends = ["hooked", "bridge"] if _has_hooked_transformer() else ["bridge"]
    assert script.run(backends, calls=12)
    assert capsys.readouterr().out.count("0 of 12 answers wrong") == len(backends) * len(script.CALLS)
