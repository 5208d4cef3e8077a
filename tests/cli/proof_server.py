#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proof_server.py OPTION... DIR -- COMMAND...: a TLS server that has proofs, and whose manners can be bad.

DIR/port says where it listens, once it does (127.0.0.1); DIR/requests has a line "CONNECTION METHOD PATH" for each request.
For each nonce, COMMAND... --nonce HEX -o FILE makes the proof.

  --cert FILE, --key FILE    what it serves with (PEM)
  --proof FILE               always this proof, whatever the nonce
  --busy N                   the first N requests for proofs are answered 503, Retry-After: 1; -1: all
  --retry-after TEXT         another value than 1
  --hang-up N                the first N connections are closed after their first answer, without a word; -1: all
  --say-close                and "Connection: close" says so
  --status PATH CODE         PATH is answered with this, Location: /elsewhere
  --big PATH BYTES           PATH has so many bytes
  --slow SECONDS             between request and answer
  --swap CERT KEY            from the second connection on, what it serves with
  --swap-after N CERT KEY    the same after N connections
"""
import argparse
import http.server
import os
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

PROOF = "/.well-known/assay/proof"


def parse():
    words, command = sys.argv[1:], []
    if "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1 :]
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("dir")
    for name in ("cert", "key", "proof"):
        p.add_argument("--" + name)
    p.add_argument("--busy", type=int, default=0)
    p.add_argument("--retry-after", default="1")
    p.add_argument("--hang-up", type=int, default=0)
    p.add_argument("--say-close", action="store_true")
    p.add_argument("--status", nargs=2, action="append", default=[])
    p.add_argument("--big", nargs=2, action="append", default=[])
    p.add_argument("--slow", type=float, default=0)
    p.add_argument("--swap", nargs=2)
    p.add_argument("--swap-after", nargs=3)
    args = p.parse_args(words)
    args.swap_after = args.swap_after or (["1"] + args.swap if args.swap else None)
    args.command = command
    return args


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, args):
        super().__init__(("127.0.0.1", 0), Handler)
        self.args = args
        self.lock = threading.Lock()
        self.connections = self.asked = 0
        self.contexts = [self.context(args.cert, args.key)]
        if args.swap_after:
            self.contexts.append(self.context(*args.swap_after[1:]))

    @staticmethod
    def context(cert, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context

    def note(self, line):
        with self.lock, open(os.path.join(self.args.dir, "requests"), "a") as f:
            f.write(line + "\n")

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "test"
    timeout = 30

    def setup(self):
        with self.server.lock:
            self.server.connections += 1
            self.number = self.server.connections
        after = self.server.args.swap_after
        context = self.server.contexts[1 if after and self.number > int(after[0]) else 0]
        self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def log_message(self, *args):
        pass

    def answer(self, status, body, **headers):
        args = self.server.args
        hang_up = args.hang_up < 0 or self.number <= args.hang_up
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if hang_up and args.say_close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = hang_up

    def proof(self, nonce):
        args = self.server.args
        with self.server.lock:
            self.server.asked += 1
            busy = args.busy < 0 or self.server.asked <= args.busy
        if busy:
            return self.answer(503, b"busy\n", Retry_After=args.retry_after)
        path = args.proof
        if not path:
            path = os.path.join(args.dir, f"proof.{self.number}.{threading.get_ident()}")
            subprocess.run(args.command + ["--nonce", nonce, "-o", path], check=True, stdin=subprocess.DEVNULL)
        with open(path, "rb") as f:
            return self.answer(200, f.read(), Content_Type="application/json")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.note(f"{self.number} POST {self.path} {body.decode()}")
        self.answer(200, b"thanks\n")

    def do_GET(self):
        args = self.server.args
        self.server.note(f"{self.number} GET {self.path}")
        url = urllib.parse.urlsplit(self.path)
        time.sleep(args.slow)
        for path, status in args.status:
            if path == url.path:
                return self.answer(int(status), b"", Location="/elsewhere")
        for path, size in args.big:
            if path == url.path:
                return self.answer(200, b"x" * int(size))
        if url.path == PROOF:
            return self.proof(urllib.parse.parse_qs(url.query).get("nonce", [""])[0])
        return self.answer(200, f"hello from {self.path}\n".encode())


def main():
    args = parse()
    server = Server(args)
    with open(os.path.join(args.dir, "port.tmp"), "w") as f:
        f.write(f"{server.server_address[1]}\n")
    os.rename(os.path.join(args.dir, "port.tmp"), os.path.join(args.dir, "port"))
    server.serve_forever()


if __name__ == "__main__":
    main()
