"""Runs a Python function: fetches events from the Runtime API and answers them.

It speaks the protocol with the standard library alone. sys.argv[1] is the handler
when there is one, else _HANDLER is: "folder/file.function".
"""
import importlib
import importlib.util
import json
import os
import socket
import sys
import time
import traceback

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.tenant_id = None
        self.identity = None
        self.client_context = None
        if headers.get("lambda-runtime-client-context"):
            self.client_context = ClientContext(json.loads(headers["lambda-runtime-client-context"]))
        self._deadline = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))


class ClientContext:
    def __init__(self, fields):
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        self.client = fields.get("client")


class Connection:
    """One connection to the Runtime API, made again when it was lost.

    It stands between every call and its answer, so it speaks as little HTTP as the
    Runtime API needs, which always declares the length of its bodies.
    """

    def __init__(self):
        self.socket = None
        self.buffer = b""

    def connect(self):
        host, port = API.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def receive(self):
        """Reads one answer: its headers, by names in lower case, and its body."""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        headers = {}
        for line in head.decode("utf-8", "replace").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            parts, have = [rest], len(rest)
            while have < length:
                self.buffer = b""
                self.more()
                parts.append(self.buffer)
                have += len(self.buffer)
            rest = b"".join(parts)
        self.buffer = rest[length:]
        return headers, rest[:length]

    def more(self):
        part = self.socket.recv(1 << 16)
        if not part:
            raise ConnectionError("the Runtime API closed the connection")
        self.buffer += part

    def post(self, path, body, extra="", then=b""):
        """Reports something. What follows then is sent in the same breath."""
        if self.socket is None:
            self.connect()
        head = "POST %s%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" % (BASE, path, API, len(body), extra)
        self.socket.sendall(head.encode() + body + then)
        self.receive()

    def next(self, asked):
        """Waits for an event, and asks for it unless that was done."""
        while True:
            try:
                if self.socket is None:
                    self.connect()
                    asked = False
                if not asked:
                    self.socket.sendall(NEXT)
                return self.receive()
            except ConnectionError:
                self.socket = None


NEXT = ("GET %s/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n" % (BASE, API)).encode()


def report(error, request_id=None):
    """The document for an exception, without this file's own frames."""
    kind, value, tb = error
    frames = [f for f in traceback.extract_tb(tb) if f.filename != __file__ and not f.filename.startswith("<frozen")]
    document = {"errorMessage": str(value), "errorType": kind.__name__}
    if request_id is not None:
        document["requestId"] = request_id
    document["stackTrace"] = traceback.format_list(frames)
    return document


def log_error(document):
    lines = ["[ERROR] %s: %s" % (document["errorType"], document["errorMessage"])]
    if document["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines.extend(line.rstrip("\n") for frame in document["stackTrace"] for line in frame.split("\n") if line)
    print("\n".join(lines), flush=True)


class HandlerError(Exception):
    """A handler that cannot be used; kind is the runtime's name of the failure."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def load(name):
    """Imports the module of a handler and returns the function."""
    if "." not in name:
        raise HandlerError("Runtime.MalformedHandlerName", "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name)
    module_name, function_name = name.rsplit(".", 1)
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as e:
        raise HandlerError("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, e))
    except SyntaxError as e:
        raise HandlerError("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, e))
    function = getattr(module, function_name, None)
    if function is None:
        raise HandlerError("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function_name, module_name))
    return function


def encode(value):
    if hasattr(value, "to_dict"):
        return value.to_dict()
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def error_type(document):
    """The header that names a failure; names of classes may be anything."""
    name = "".join(c if " " < c < "\x7f" else "?" for c in document["errorType"])
    return "Lambda-Runtime-Function-Error-Type: %s\r\n" % name


def main():
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    for path in ("/opt/python/lib/python%d.%d/site-packages" % sys.version_info[:2], "/opt/python"):
        sys.path.insert(1, path)
    connection = Connection()
    try:
        handler = load(os.environ["_HANDLER"])
    except BaseException as e:  # SystemExit too: it must not look like a clean end
        document = report(sys.exc_info())
        if isinstance(e, HandlerError):
            document["errorType"] = e.kind
            document["stackTrace"] = []
        log_error(document)
        connection.post("/init/error", json.dumps(document).encode(), error_type(document))
        sys.exit(1)
    asked = False
    while True:
        headers, event = connection.next(asked)
        request_id = headers["lambda-runtime-aws-request-id"]
        if headers.get("lambda-runtime-trace-id"):
            os.environ["_X_AMZN_TRACE_ID"] = headers["lambda-runtime-trace-id"]
        try:
            try:
                result = handler(json.loads(event), Context(headers))
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
            try:
                body = json.dumps(result, default=encode)
            except Exception as e:
                raise HandlerError("Runtime.MarshalError", "Unable to marshal response: %s" % e)
        except Exception as e:
            document = report(sys.exc_info(), request_id)
            if isinstance(e, HandlerError):
                document["errorType"] = e.kind
                document["stackTrace"] = []
            log_error(document)
            connection.post("/invocation/%s/error" % request_id, json.dumps(document).encode(), error_type(document), NEXT)
            asked = True
            continue
        # Whoever answers asks for the next event: one message fewer for each call.
        connection.post("/invocation/%s/response" % request_id, body.encode(), "", NEXT)
        asked = True


main()
