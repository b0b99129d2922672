#include "rpc/stream.h"

#include <stdlib.h>

static const struct {
    struct charle_str scheme;
    const struct ch_transport *transport;
    bool has_port;
} schemes[] = {
    {CHARLE_STR_INIT("tcp://"), &ch_transport_nng, true},
    {CHARLE_STR_INIT("tls+tcp://"), &ch_transport_nng, true},
    {CHARLE_STR_INIT("ipc://"), &ch_transport_nng, false},
    {CHARLE_STR_INIT("inproc://"), &ch_transport_loopback, false},
};

enum { IPC_PATH_LEN_MAX = 107 }; // sun_path of the kernel

// The part behind the last colon: a number of 0 to 65535.
static bool has_port(const char *rest)
{
    const char *colon = strrchr(rest, ':');
    if (!colon || colon == rest || colon[1] < '0' || colon[1] > '9')
        return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    return *end == '\0' && port <= 65535;
}

enum charle_err ch_transport_of(const char *address, const struct ch_transport **out, struct charle_error *err)
{
    struct charle_str text = charle_str(address);
    if (text.len >= CH_ADDRESS_SIZE)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the address has %zu bytes; at most %d are possible", text.len,
                           CH_ADDRESS_SIZE - 1);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!charle_str_has_prefix(text, schemes[i].scheme))
            continue;
        const char *rest = address + schemes[i].scheme.len;
        if (*rest == '\0')
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the address \"%s\" ends after its scheme", address);
        if (schemes[i].has_port && !has_port(rest))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                               "the address \"%s\" has no port; write it as in \"tcp://127.0.0.1:4317\"", address);
        if (schemes[i].scheme.ptr[0] == 'i' && schemes[i].transport == &ch_transport_nng &&
            strlen(rest) > IPC_PATH_LEN_MAX)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the socket path \"%s\" is longer than %d bytes", rest,
                               IPC_PATH_LEN_MAX);
        *out = schemes[i].transport;
        return CHARLE_OK;
    }
    return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                       "the address \"%s\" does not begin with tcp://, tls+tcp://, ipc:// or inproc://",
                       text.ptr ? address : "");
}

bool ch_address_is_exposed(const char *address)
{
    struct charle_str text = charle_str(address);
    if (!charle_str_has_prefix(text, CHARLE_STR("tcp://")))
        return false;
    if (charle_str_has_prefix(text, CHARLE_STR("tcp://localhost:")) ||
        charle_str_has_prefix(text, CHARLE_STR("tcp://[::1]:")))
        return false;
    // 127.0.0.0/8, and nothing that only looks like it, as the name 127.example.com does.
    const char *host = address + strlen("tcp://");
    return strncmp(host, "127.", 4) != 0 || host[strspn(host, "0123456789.")] != ':';
}
