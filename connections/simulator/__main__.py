"""`python -m connections.simulator [--port 8899] [--host 127.0.0.1]`: run the simulator until it is told to stop."""

import argparse
import signal
import sys
from types import FrameType

from connections.simulator.transport import Server


def main(arguments: list[str] | None = None) -> None:
    """Serve; SIGTERM and SIGINT end the process with code 0. Port 0 takes a free one, named in the line printed."""
    parser = argparse.ArgumentParser(prog="python -m connections.simulator", description="Amazon in a box.")
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    with Server(options.host, options.port) as server:
        print(f"Amazon simulator listening on {server.url}", flush=True)
        server.serve_forever()


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
