"""`python -m MODULE ARGUMENTS...` without the seconds that importing takes: `python -IS forked.py NAME MODULE ...`.

A server has everything imported, and forks for each such command. The command hands it its arguments, environment,
folder and standard streams, passes on the signals it is sent, and ends as its fork ended; when it is killed, so is
the fork. The fork has not started as an interpreter does: tests of imports, of what is read or set up at the start,
and of the clean-up at the end need a process of their own (`tests.processes.AGENT`).

The server has one thread, as others do not survive a fork: ONNX Runtime, which starts some, is left to the fork. It
ends when its stdin does. No tests are here.
"""

import json
import os
import signal
import socket
import sys
from typing import NoReturn

PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP")


def ask(name: str, command: list[str]) -> NoReturn:
    """Have a command run, and end as it ended."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(abstract(name))
        request = json.dumps([command, dict(os.environ), os.getcwd()]).encode() + b"\n"
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(request)
        with server.makefile() as answers:
            pid = int(answers.readline())
            for one in PASSED_ON:
                signal.signal(getattr(signal, one), lambda number, _: os.kill(pid, number))
            code = int(answers.readline())
    if code < 0:
        if code != -signal.SIGKILL:  # which cannot be asked for
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def abstract(name: str) -> str:
    """The address of a socket that needs no file (unix(7))."""
    return f"\0{name}"


def serve(name: str) -> None:
    """Fork for each command that is asked for."""
    import select

    import_all()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(abstract(name))
        listener.listen()
        print("ready", flush=True)
        commands: dict[
            int, tuple[int, socket.socket]
        ] = {}  # by what tells that a fork has ended: its pid, its asker
        while True:
            askers = {asker: pid for pid, asker in commands.values()}
            for ready in select.select([0, listener, *commands, *askers], [], [])[0]:
                if ready == 0:
                    return
                if ready is listener:
                    asker, _ = listener.accept()
                    pid = fork(asker)
                    commands[os.pidfd_open(pid)] = pid, asker
                    answer(asker, pid)
                elif ready in askers:  # it says no more: it was killed
                    os.kill(askers[ready], signal.SIGKILL)
                else:
                    pid, asker = commands.pop(ready)
                    os.close(ready)
                    answer(asker, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    asker.close()
                    break  # what else is ready may be of the same fork


def answer(asker: socket.socket, number: int) -> None:
    import contextlib

    with contextlib.suppress(BrokenPipeError):
        asker.sendall(b"%d\n" % number)


def fork(asker: socket.socket) -> int:
    """A process that runs what it is asked to; its pid."""
    _, streams, _, _ = socket.recv_fds(asker, 1, 3)
    with asker.makefile() as lines:
        (module, *arguments), environment, folder = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            asker.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            run(module, arguments)
            code = 0
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else int(done.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    for stream in streams:
        os.close(stream)
    return pid


def run(module: str, arguments: list[str]) -> None:
    """Run a module as `python -m` does, with streams of its own."""
    import runpy

    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, (mode, errors) in enumerate([("r", None), ("w", None), ("w", "backslashreplace")])
    )
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()


def import_all() -> None:
    """Import what questions and files need, as `Agent` would, and build the graph."""
    import gc
    import importlib
    import pkgutil

    import agent
    import retrieval
    import tools
    from agent.lean import defer_unused
    from agent.privacy import switch_off_telemetry
    from retrieval.tokens import lexical_tokens

    switch_off_telemetry()
    defer_unused()
    for package in (agent, retrieval, tools):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in ("faiss", "tokenizers", "prompt_toolkit", "rich.console"):
        importlib.import_module(name)
    agent.graph.build_graph()
    lexical_tokens("a 字")  # loads the word list
    threads = os.listdir("/proc/self/task")
    assert len(threads) == 1, f"{len(threads)} threads"
    gc.freeze()


if __name__ == "__main__":
    if sys.argv[2:]:
        ask(sys.argv[1], sys.argv[2:])
    serve(sys.argv[1])
