"""Run uploaded functions in child processes behind the Lambda Runtime API.

From the way in to the other side:

    pool      invoke(function, payload)
    children  at most two processes for each function, kept warm
    process   one of them, with its Runtime API (`api`) and its log (`logs`)
    call      one event's way through a process, and how it ends
    client    the runtime inside the process, under the function's own Python (`interpreter`),
              which stays on this machine (`loopback`) and finds AWS there (`aws_sdk`)
    node/     the same for functions in JavaScript
"""
