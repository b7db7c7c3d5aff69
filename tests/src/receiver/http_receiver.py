"""A receiver over HTTP that appends what it takes to a file, a line each.

bulk PORT FILE CERT KEY   _bulk of Elasticsearch: `create`, each id once; sometimes it has too much to do
otlp PORT FILE            /v1/logs of OpenTelemetry: requests are read by protobuf's own rules for JSON
clickhouse PORT FILE SQL  ClickHouse by chDB: the statements of SQL first; GET answers with the table
"""
import base64
import gzip
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlparse

what, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
out = open(path, "ab", buffering=0)


class Bulk:
    def __init__(self):
        self.ids, self.requests, self.tired = set(), 0, set()

    def take(self, url, body):
        self.requests += 1
        if self.requests % 5 == 3:
            return 503, {"error": "too much to do"}
        lines = body.split(b"\n")
        assert lines.pop() == b"" and len(lines) % 2 == 0, "no pairs of lines"
        items, kept = [], []
        for action, document in zip(lines[::2], lines[1::2]):
            name = json.loads(action)["create"]["_id"]
            json.loads(document)
            if name in self.ids:
                status = 409
            elif int(name[:8], 16) % 100 == 0 and name not in self.tired:
                self.tired.add(name)
                status = 429
            else:
                self.ids.add(name)
                kept.append(document + b"\n")
                status = 201
            error = {} if status == 201 else {"error": {"type": "t", "reason": "r"}}
            items.append({"create": {"status": status, **error}})
        out.write(b"".join(kept))
        return 200, {"errors": any(item["create"]["status"] > 299 for item in items), "items": items}


class Otlp:
    def __init__(self):
        from google.protobuf.json_format import Parse
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        self.parse = lambda body: Parse(body, ExportLogsServiceRequest())

    def take(self, url, body):
        assert url.path == "/v1/logs", url
        read = self.parse(body)
        records = [
            record
            for resource in json.loads(body)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]
        # protobuf found as many.
        assert len(records) == sum(len(s.log_records) for r in read.resource_logs for s in r.scope_logs)
        out.write(b"".join(json.dumps(record).encode() + b"\n" for record in records))
        return 200, {}


class ClickHouse:
    def __init__(self):
        from chdb.session import Session
        self.session = Session()
        with open(sys.argv[4], encoding="utf-8") as statements:
            for statement in statements.read().split(";"):
                if statement.strip():
                    self.session.query(statement)

    def take(self, url, body):
        statement = parse_qs(url.query)["query"][0]
        self.session.query(statement + "\n" + body.decode())
        return 200, {}

    def table(self):
        rows = self.session.query("SELECT line FROM ftp FINAL ORDER BY sensor, run, seq FORMAT LineAsString")
        return rows.bytes()


# A connection that stays open keeps no other from being served; requests are taken one after another.
turn = Lock()
receiver = {"bulk": Bulk, "otlp": Otlp, "clickhouse": ClickHouse}[what]()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        login = base64.b64decode((self.headers.get("authorization") or " ").split(" ")[1])
        if what != "otlp" and login != b"ftpmon:secret":
            return self.answer(401, b"{}")
        with turn:
            status, answer = receiver.take(urlparse(self.path), body)
        return self.answer(status, json.dumps(answer).encode())

    def do_GET(self):
        with turn:
            table = receiver.table()
        self.answer(200, table)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
if what == "bulk":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
