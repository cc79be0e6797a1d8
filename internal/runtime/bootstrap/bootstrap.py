"""Runs a Python function: fetches events from the Runtime API and answers them.

It speaks the protocol with the standard library alone. sys.argv[1] is the handler
when there is one, else _HANDLER is: "folder/file.function".
"""
import http.client
import importlib
import importlib.util
import json
import os
import sys
import time
import traceback

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.tenant_id = None
        self.identity = None
        self.client_context = None
        if headers.get("Lambda-Runtime-Client-Context"):
            self.client_context = ClientContext(json.loads(headers["Lambda-Runtime-Client-Context"]))
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))


class ClientContext:
    def __init__(self, fields):
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        self.client = fields.get("client")


class Connection:
    """One connection to the Runtime API, made again when it was lost."""

    def __init__(self):
        self.http = http.client.HTTPConnection(API)

    def call(self, method, path, body=None, headers=None):
        self.http.request(method, BASE + path, body, headers or {})
        answer = self.http.getresponse()
        return answer, answer.read()


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
        connection.call("POST", "/init/error", json.dumps(document), {"Lambda-Runtime-Function-Error-Type": document["errorType"]})
        sys.exit(1)
    while True:
        answer, event = connection.call("GET", "/invocation/next")
        headers = answer.headers
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        if headers.get("Lambda-Runtime-Trace-Id"):
            os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
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
            connection.call("POST", "/invocation/%s/error" % request_id, json.dumps(document), {"Lambda-Runtime-Function-Error-Type": document["errorType"]})
            continue
        connection.call("POST", "/invocation/%s/response" % request_id, body.encode(), {"Content-Type": "application/json"})


main()
