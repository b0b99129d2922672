// For builds that count lines: processes that leave by _exit, such as children that do not run the handlers of their parent, write down what they
// counted. The linker puts this before the C library's (--wrap).
extern void __gcov_dump(void);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);

_Noreturn void __wrap__exit(int code)
{
    __gcov_dump();
    __real__exit(code);
}
