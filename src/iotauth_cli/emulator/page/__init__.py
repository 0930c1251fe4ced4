"""The emulator's page in the browser: who is connected, what was decided and why, which messages pass.

Three files (`page.html`, `page.css`, `page.js`) served by `files`, and an API that only they use: `view` shows
the state of things whenever it is asked, `message_socket` tells of messages as they pass.
"""
