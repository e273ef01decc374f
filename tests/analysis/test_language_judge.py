"""A language model as a judge: replies of every kind, and a server with faults on this machine."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from saewidgets.analysis.judges import LanguageJudge, ModelChat, OpenAIChat, run_judge
from saewidgets.models import load_model
from saewidgets.records import Passage, Verdict

PASSAGES = [Passage((f" word{i}", " red"), (i, 1), (1,)) for i in range(7)]


def reply(n, score=2):
    return json.dumps([{"score": score, "reason": "so"}] * n)


def count(prompt):
    return prompt.count("\nPassage ")


def test_passages_go_in_batches_and_the_marks_are_shown():
    prompts = []

    def ask(prompt):
        prompts.append(prompt)
        return reply(count(prompt))

    run = run_judge(LanguageJudge(ask, batch=3, name="mine"), "the color red", PASSAGES)
    assert run.scores == (2,) * 7 and run.reasons[0] == "so" and run.kind == "language model"
    assert [count(p) for p in prompts] == [3, 3, 1] and run.spent == {"prompts": 3, "unreadable": 0}
    assert " word0 «red»" in prompts[0] and "the color red" in prompts[0] and "word3" not in prompts[0]


def test_a_judge_sees_no_activation():
    seen = []
    run_judge(lambda claim, ps: seen.extend(ps) or [0] * len(ps), "", PASSAGES)
    assert {f for p in seen for f in vars(p)} <= {"tokens", "ids", "marked", "context", "position", "_ends"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("I would rather not.", "no JSON list"),
        ("[{]", "not JSON"),
        (reply(6), "6 answers to 7 passages"),
        (reply(8), "8 answers to 7 passages"),
        (17, "not a text"),
    ],
)
def test_what_cannot_be_read_is_asked_once_more_and_then_refused(answer, why):
    asked = []
    judge = LanguageJudge(lambda prompt: asked.append(1) or answer, batch=7)
    run = run_judge(judge, "red", PASSAGES, name="odd")
    assert run.scores == (None,) * 7 and why in run.reasons[0] and len(asked) == 2
    assert run.spent["unreadable"] == 2 and run.n_refused == 7
    answers = iter([answer, reply(7, 3)])
    assert (
        run_judge(LanguageJudge(lambda prompt: next(answers), batch=7), "red", PASSAGES, name="late").scores == (3,) * 7
    )


def test_a_score_that_is_none_is_refused_alone_and_nothing_is_guessed():
    answers = ['[{"score": 3}, {"score": "1"}, {"score": 4}, {"score": true}, {"score": 2.0}, 0, {}]']
    run = run_judge(LanguageJudge(lambda prompt: answers[0], batch=7), "red", PASSAGES, name="mixed")
    assert run.scores == (3, 1, None, None, None, 0, None)
    assert "4 is no score" in run.reasons[2]


def test_a_failing_function_is_a_refusal_and_a_wrong_key_is_an_error():
    def fails(prompt):
        raise RuntimeError("out of memory")

    run = run_judge(LanguageJudge(fails), "red", PASSAGES)
    assert run.n_refused == 7 and run.reasons[0] == "RuntimeError: out of memory" and run.spent["prompts"] == 2

    def refuses(prompt):
        raise PermissionError("no such key")

    with pytest.raises(PermissionError, match="no such key"):
        run_judge(LanguageJudge(refuses), "red", PASSAGES)


def test_the_odd_one_is_asked_for_by_number_without_the_claim():
    prompts = []
    judge = LanguageJudge(lambda prompt: prompts.append(prompt) or "It is number 3.")
    assert judge.pick(PASSAGES) == 2 and "«red»" in prompts[0]
    assert LanguageJudge(lambda prompt: "none").pick(PASSAGES) is None
    assert LanguageJudge(lambda prompt: "8").pick(PASSAGES) is None


# -- a server ----------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Answers each request by the next of `script`: a function of the handler and the request."""

    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.seen = list(script), []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        step = self.server.script.pop(0) if len(self.server.script) > 1 else self.server.script[0]
        step(self, body)

    do_GET = do_POST

    def log_message(self, *args):
        pass

    def answer(self, code, raw, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def good(handler, body):
    n = count(body["messages"][0]["content"])
    usage = {"prompt_tokens": 100, "completion_tokens": 10 * n}
    told = {"choices": [{"message": {"content": reply(n, 3)}}], "usage": usage}
    handler.answer(200, json.dumps(told).encode())


def fault(code, raw=b"{}", **headers):
    return lambda handler, body: handler.answer(code, raw, **headers)


def slow(handler, body):
    time.sleep(0.4)


@pytest.fixture
def serve():
    servers = []

    def start(*script):
        server = Server(script)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def chat_of(server, **options):
    waits = []
    chat = OpenAIChat(server.url, "tiny", sleep=waits.append, **{"timeout": 5, **options})
    return chat, waits


def test_a_good_server_and_what_it_costs(serve):
    server = serve(good)
    chat, waits = chat_of(server, key="sk-secret", dollars=(2.0, 10.0))
    run = run_judge(LanguageJudge(chat, batch=4), "red", PASSAGES)
    assert run.scores == (3,) * 7 and run.name == "tiny" and not waits
    assert run.spent == {
        "prompts": 2,
        "unreadable": 0,
        "requests": 2,
        "retries": 0,
        "tokens read": 200,
        "tokens written": 70,
        "dollars": pytest.approx((200 * 2 + 70 * 10) / 1e6),
    }
    path, headers, body = server.seen[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer sk-secret"
    assert body["model"] == "tiny" and body["temperature"] == 0
    assert "secret" not in repr(chat)


def test_a_busy_server_is_waited_for_as_long_as_it_says(serve):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    chat, waits = chat_of(serve(fault(429, Retry_After="7"), fault(429, Retry_After=soon), fault(429), good))
    assert json.loads(chat("\nPassage 1"))[0]["score"] == 3
    assert waits[0] == 7 and 20 < waits[1] <= 30 and waits[2] == 4  # no word from the server: 1, 2, 4 seconds
    assert chat.spent["requests"] == 4 and chat.spent["retries"] == 3


def test_a_server_that_asks_for_an_hour_is_not_waited_for(serve):
    chat, waits = chat_of(serve(fault(429, Retry_After="3600")))
    with pytest.raises(ConnectionError, match=r"429.*left alone for 3600 s"):
        chat("hello")
    assert not waits and chat.spent["requests"] == 1


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (fault(200, b"<html>busy</html>"), "no JSON"),
        (fault(200, b'{"choices": []}'), "without choices"),
        (fault(200, b'{"choices": [{"message": {"content": null}}]}'), "without choices"),
        (fault(500, b"oh"), "HTTP 500"),
        (fault(503), "HTTP 503"),
        (slow, "timed out"),
    ],
)
def test_faults_are_tried_again_and_told(serve, step, says):
    options = {"timeout": 0.1} if step is slow else {}
    chat, waits = chat_of(serve(step, good), **options)
    chat.timeout = 0.1 if step is slow else 5
    if step is not slow:
        assert chat("\nPassage 1") and waits == [1.0]
    chat, waits = chat_of(serve(step), attempts=2, **options)
    run = run_judge(LanguageJudge(chat, batch=7), "red", PASSAGES)
    assert run.n_refused == 7 and says in run.reasons[0] and waits == [1.0]
    assert run.spent["requests"] == 2


def test_a_refused_key_ends_the_work_and_is_not_repeated_in_the_error(serve):
    server = serve(fault(401, b'{"error": "bad key sk-secret"}'))
    chat, waits = chat_of(server, key="sk-secret")
    with pytest.raises(PermissionError, match="HTTP 401") as caught:
        run_judge(LanguageJudge(chat), "red", PASSAGES)
    assert "sk-secret" not in str(caught.value) and not waits and len(server.seen) == 1


def test_a_redirection_is_not_followed(serve):
    other = serve(good)
    chat, _ = chat_of(serve(fault(302, Location=other.url + "/chat/completions")), key="sk-secret")
    with pytest.raises(PermissionError, match="HTTP 302"):
        chat("hello")
    assert not other.seen


def test_an_address_at_which_nobody_listens(serve):
    server = serve(good)
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionRefusedError, match="nobody listens"):
        OpenAIChat(url, "tiny", sleep=lambda s: None)("hello")
    for bad in ("localhost:80", "file:///etc/passwd", ""):
        with pytest.raises(ValueError, match="no address"):
            OpenAIChat(bad, "tiny")


# -- a model of one's own ----------------------------------------------------------------------------------------------


def test_a_model_that_chats_is_a_judge_whose_kappa_can_be_told(tiny_model):
    model = load_model()
    chat = ModelChat(model, n_tokens=12)
    said = chat("What is your physical form?")
    prompt = model.tokens(model.chat("What is your physical form?"))
    (ids,) = model.sample(prompt, n_tokens=12, temperature=0.0, seeds=[0])
    assert said == "".join(model.token_text(ids, after=prompt))
    assert chat.spent == {"tokens read": len(prompt), "tokens written": len(ids)}
    run = run_judge(
        LanguageJudge(chat, batch=7), "red", PASSAGES
    )  # a prompt beyond its context, or no JSON: it refuses
    assert run.n_refused == 7 and all(
        isinstance(Verdict(s, r), Verdict) for s, r in zip(run.scores, run.reasons, strict=True)
    )
    with pytest.raises(ValueError, match="does not chat"):
        ModelChat(tiny_model)
