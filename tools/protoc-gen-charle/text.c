// Texts, lists and names. See text.h.
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void end_without_memory(void)
{
    fputs("protoc-gen-charle: out of memory; is one schema really this large?\n", stderr);
    exit(1);
}

void *ch_run_alloc(struct charle_arena *run, size_t count, size_t item_size)
{
    void *ptr = charle_arena_array(run, count ? count : 1, item_size);

    if (!ptr)
        end_without_memory();
    return ptr;
}

const char *ch_text(struct charle_arena *run, const char *format, ...)
{
    char *text;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        end_without_memory();
    text = ch_run_alloc(run, (size_t)len + 1, 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

const char *ch_text_n(struct charle_arena *run, const char *ptr, size_t len)
{
    char *text = ch_run_alloc(run, len + 1, 1);

    if (len)
        memcpy(text, ptr, len);
    return text;
}

const char *ch_text_take(struct charle_arena *run, struct charle_buf *buf)
{
    const char *text;

    if (buf->failed)
        end_without_memory();
    text = ch_text_n(run, (const char *)buf->data, buf->size);
    charle_buf_deinit(buf);
    return text;
}

void *ch_array_grow(struct charle_arena *run, void *items, size_t count, size_t item_size)
{
    void *grown;

    if (count & (count - 1)) // there is room up to the next power of two
        return items;
    grown = ch_run_alloc(run, count ? count * 2 : 1, item_size);
    if (count)
        memcpy(grown, items, count * item_size);
    return grown;
}

static char upper(char c)
{
    return (char)toupper((unsigned char)c);
}

static char lower(char c)
{
    return (char)tolower((unsigned char)c);
}

// A word begins at an upper-case letter behind a lower-case one or a digit, and at the last of several upper-case
// letters when a lower-case one follows: HTTPDoor is http_door.
static bool begins_word(const char *at, const char *start)
{
    if (at == start || !isupper((unsigned char)*at) || at[-1] == '_' || at[-1] == '.')
        return false;
    return !isupper((unsigned char)at[-1]) || islower((unsigned char)at[1]);
}

const char *ch_name_snake(struct charle_arena *run, const char *camel)
{
    char *out = ch_run_alloc(run, strlen(camel) * 2 + 2, 1);
    size_t n = 0;

    if (isdigit((unsigned char)*camel))
        out[n++] = '_';
    for (const char *c = camel; *c; c++) {
        if (begins_word(c, camel))
            out[n++] = '_';
        out[n++] = isalnum((unsigned char)*c) ? lower(*c) : '_';
    }
    return out;
}

static const char *name_map(struct charle_arena *run, const char *text, char (*map)(char))
{
    size_t len = strlen(text);
    char *out = ch_run_alloc(run, len + 1, 1);

    for (size_t i = 0; i < len; i++)
        out[i] = map(text[i]);
    return out;
}

const char *ch_name_upper(struct charle_arena *run, const char *text)
{
    return name_map(run, text, upper);
}

const char *ch_name_lower(struct charle_arena *run, const char *text)
{
    return name_map(run, text, lower);
}

const char *ch_name_c(struct charle_arena *run, const char *package_or_type)
{
    return ch_name_snake(run, package_or_type);
}

// Underscores at the end do not count: default becomes default_ and default_ default__, so that they do not meet.
static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    size_t len = strlen(name);

    while (len && name[len - 1] == '_')
        len--;
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], name, len) == 0 && !names[i][len])
            return true;
    return false;
}

const char *ch_name_global(struct charle_arena *run, const char *table)
{
    // Functions and variables of libc that a table may well be called after. gcc knows many of them without any header.
    // clang-format off
    static const char *const kept[] = {
        "abort", "abs", "accept", "access", "acct", "alarm", "alloca", "alphasort", "basename", "bind", "brk", "calloc",
        "cbrt", "ceil", "clock", "clone", "close", "closedir", "connect", "cos", "cosh", "creat", "crypt", "daemon",
        "daylight", "dirname", "div", "dup", "environ", "erf", "exit", "exp", "fabs", "fcntl", "fdim", "floor", "fma",
        "fmax", "fmin", "fmod", "fork", "free", "ftw", "gamma", "getopt", "glob", "hypot", "imaxabs", "index", "insque",
        "ioctl", "j0", "j1", "jn", "kill", "labs", "ldiv", "lfind", "link", "listen", "localtime", "lockf", "log",
        "logb", "lrint", "lround", "lsearch", "malloc", "mincore", "mkdir", "mktime", "mmap", "modf", "mount", "nan",
        "nice", "open", "opendir", "optarg", "opterr", "optind", "optopt", "pause", "perror", "pipe", "poll", "pow",
        "printf", "profil", "putchar", "puts", "qsort", "raise", "rand", "random", "read", "realloc", "recv",
        "remainder", "remove", "remque", "rename", "revoke", "rewind", "rindex", "rint", "rmdir", "round", "scalb",
        "scandir", "scanf", "select", "send", "shutdown", "signal", "signgam", "significand", "sin", "sinh", "sleep",
        "socket", "splice", "sqrt", "srand", "stat", "statx", "swab", "symlink", "sync", "syscall", "system", "tan",
        "tanh", "tee", "time", "times", "timezone", "trunc", "truncate", "tsearch", "twalk", "tzname", "umask",
        "umount", "uname", "unlink", "unshare", "utime", "utimes", "valloc", "vfork", "wait", "write", "y0", "y1", "yn",
    };
    // clang-format on
    return is_one_of(table, kept, sizeof kept / sizeof *kept) ? ch_text(run, "%s_", table) : ch_name_member(run, table);
}

const char *ch_name_member(struct charle_arena *run, const char *field)
{
    // Keywords of C11, C23 and C++ (the public header is read by both), and what gcc and the usual headers define as macros.
    // clang-format off
    static const char *const kept[] = {
        "alignas", "alignof", "and", "and_eq", "asm", "assert", "auto", "bitand", "bitor", "bool", "break", "case",
        "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl",
        "complex", "concept", "const", "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype",
        "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "errno", "explicit", "export", "extern",
        "false", "float", "for", "friend", "goto", "if", "inline", "int", "linux", "long", "mutable", "namespace",
        "new", "noexcept", "noreturn", "not", "not_eq", "nullptr", "offsetof", "operator", "or", "or_eq", "private",
        "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return", "short", "signed",
        "sizeof", "static", "static_assert", "static_cast", "stderr", "stdin", "stdout", "struct", "switch", "template",
        "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "union", "unix",
        "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
    };
    // clang-format on
    return is_one_of(field, kept, sizeof kept / sizeof *kept) ? ch_text(run, "%s_", field) : field;
}

bool ch_name_is_plain(const char *name)
{
    if (!islower((unsigned char)*name) && *name != '_')
        return false;
    for (const char *c = name; *c; c++)
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_')
            return false;
    return true;
}

static void c_char(struct charle_buf *out, char c)
{
    if (c == '"' || c == '\\')
        charle_buf_printf(out, "\\%c", c);
    else if (c == '?') // no trigraphs by accident
        charle_buf_add_text(out, "\\?");
    else if (c == '\n')
        charle_buf_add_text(out, "\\n");
    else if (c == '\t')
        charle_buf_add_text(out, "\\t");
    else if ((unsigned char)c < 32 || (unsigned char)c > 126)
        charle_buf_printf(out, "\\%03o", (unsigned char)c); // three octal digits never run into the next character
    else
        charle_buf_add_byte(out, (uint8_t)c);
}

void ch_c_string(struct charle_buf *out, const char *text, int indent)
{
    charle_buf_add_byte(out, '"');
    for (const char *c = text; *c; c++) {
        c_char(out, *c);
        if (*c == '\n' && c[1])
            charle_buf_printf(out, "\"\n%*s\"", indent, "");
    }
    charle_buf_add_byte(out, '"');
}
