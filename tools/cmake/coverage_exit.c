// For builds that count lines: processes that leave by _exit, such as children that do not run the handlers of their parent, write down what they
// counted. The linker puts this before the C library's (--wrap). Those that a test kills do so, too: it sends them CH_COVERAGE_KILL for SIGKILL
// (tests/support/hard_kill.h), which ends them as SIGKILL does once they have written.
#include <signal.h>
#include <unistd.h>

extern void __gcov_dump(void);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);

_Noreturn void __wrap__exit(int code)
{
    __gcov_dump();
    __real__exit(code);
}

// It may have come in the middle of anything: who does not get out of writing is ended by the alarm.
static void write_and_end(int number)
{
    (void)number;
    signal(SIGALRM, SIG_DFL);
    alarm(3);
    __gcov_dump();
    kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void await_kill(void)
{
    signal(SIGRTMAX - 1, write_and_end); // as CH_COVERAGE_KILL
}
