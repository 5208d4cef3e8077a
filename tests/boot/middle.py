#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A man in the middle: middle.py CERT KEY PORT. TLS with a certificate of his own, behind it the server on PORT, byte for
byte. Prints the port that he listens on."""

import socket
import ssl
import sys
import threading


def pass_on(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client, port):
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    server = trusting.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
    pass_on(client, server)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            raw, _ = listener.accept()
            try:
                client = context.wrap_socket(raw, server_side=True)
            except OSError:
                continue
            threading.Thread(target=serve, args=(client, int(sys.argv[3])), daemon=True).start()


main()
