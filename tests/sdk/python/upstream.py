"""A small model server that answers as it is told to and remembers what it was asked."""

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANGS_SECONDS = 10


@dataclass
class Asked:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What to say to it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: Pieces of a stream, in place of a body.
    stream: list[bytes] | None = None
    #: The stream does not end by itself.
    hangs: bool = False


def says(value: object, status: int = 200, **headers: str) -> Answer:
    """A JSON answer."""
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json", **headers})


def streams(*events: object) -> Answer:
    """A stream of named events, as the Responses API sends them."""
    pieces = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    return Answer(headers={"content-type": "text/event-stream"}, stream=pieces)


def chat_stream(*texts: str, hangs: bool = False) -> Answer:
    """A stream of chunks with these texts, as chat completions send them. If it `hangs`, it has no end."""
    deltas = [({"content": text}, None) for text in texts]
    ends = [] if hangs else [({}, "stop")]
    pieces = []
    for delta, reason in deltas + ends:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]}
        pieces.append(f"data: {json.dumps(chunk)}\n\n".encode())
    if not hangs:
        pieces.append(b"data: [DONE]\n\n")
    return Answer(headers={"content-type": "text/event-stream"}, stream=pieces, hangs=hangs)


class Upstream:
    """Answers each request with the next of its answers."""

    def __init__(self):
        self.asked: deque[Asked] = deque()
        self.answers: deque[Answer] = deque()
        #: Whoever asked has gone while a stream was hanging.
        self.left = threading.Event()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                upstream.handle(self)

            do_GET = do_POST = do_DELETE = do

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/v1" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, request: BaseHTTPRequestHandler):
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.command, request.path, headers, body_of(request)))
        answer = self.answers.popleft() if self.answers else says({"error": {"message": "not scripted"}}, 500)
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        if answer.stream is None:
            request.send_header("content-length", str(len(answer.body)))
            request.end_headers()
            request.wfile.write(answer.body)
            return
        request.send_header("transfer-encoding", "chunked")
        request.end_headers()
        # A gateway that does not leave fails a test, and does not hold it up for good.
        request.connection.settimeout(HANGS_SECONDS)
        try:
            for piece in answer.stream:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if not answer.hangs:
                request.wfile.write(b"0\r\n\r\n")
                return
            has_left = not request.rfile.read(1)
        except ConnectionError:
            has_left = True
        if has_left:
            self.left.set()
            request.close_connection = True

    def forget(self):
        self.asked.clear()
        self.answers.clear()
        self.left.clear()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def body_of(request: BaseHTTPRequestHandler) -> bytes:
    """The whole body, of known length or chunked."""
    if "chunked" not in request.headers.get("transfer-encoding", ""):
        return request.rfile.read(int(request.headers.get("content-length", 0)))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
