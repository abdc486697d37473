#!/bin/sh
# leash.sh PROGRAM [ARGUMENT...]: becomes PROGRAM, and ends it once descriptor 3 closes.
# The supervisor holds the other end of descriptor 3 and the kernel closes it whatever the supervisor dies of, so a program
# that knows nothing of us never outlives it. A line on descriptor 3 says that the program's end was seen.
GRACE_SECONDS=5
(
  trap '' TERM INT HUP
  read -r line <&3 && exit 0
  kill -TERM $$ 2>/dev/null
  kill -CONT $$ 2>/dev/null
  waited=0
  while [ "$waited" -lt "$GRACE_SECONDS" ]; do
    kill -0 $$ 2>/dev/null || exit 0
    sleep 1
    waited=$((waited + 1))
  done
  kill -KILL $$ 2>/dev/null
) </dev/null >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
