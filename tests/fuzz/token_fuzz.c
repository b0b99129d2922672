// Texts that reach a server from outside before anybody is known: the header with a session's token, settings in a file, in the environment and on
// the command line, addresses, and hints of other servers.
//
// Each is taken or refused with a sentence; a password of the database never stands in one. The first byte chooses which text it is.
#include "base/err.h"
#include "fuzz/fuzz.h"
#include "rpc/stream.h"
#include "server/config.h"
#include "server/hints.h"
#include "server/token.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "never-tell"

enum { WORDS_MAX = 24 };

static char *copy_text(struct charle_bytes bytes)
{
    char *text = malloc(bytes.len + 1);
    CHARLE_ASSERT(text);
    memcpy(text, bytes.ptr, bytes.len);
    text[bytes.len] = '\0';
    return text;
}

static void run_token(struct charle_bytes bytes)
{
    char hash[CH_TOKEN_HASH_SIZE];
    struct charle_str header = charle_str_n((const char *)bytes.ptr, bytes.len), token = ch_token_of_header(header);
    if (!token.ptr)
        return;
    CHARLE_ASSERT(token.len < header.len && token.ptr + token.len == header.ptr + header.len);
    ch_token_hash(token, hash);
    CHARLE_ASSERT(strlen(hash) == CH_TOKEN_HASH_SIZE - 1);
    if (ch_token_is_well_formed(token))
        CHARLE_ASSERT(token.len == CH_TOKEN_SIZE - 1 && !memchr(token.ptr, '\0', token.len));
}

// `words` is what the input brings along, which may name the password itself.
static void check_config(int argc, char **argv, char **environment, struct charle_bytes words, bool must_fail)
{
    struct ch_config config;
    struct charle_error err = {0};
    enum charle_err rc = ch_config_init(&config, argc, argv, environment, &err);
    CHARLE_ASSERT(rc == CHARLE_OK || err.text[0]);
    CHARLE_ASSERT(!strstr(err.text, PASSWORD) || memmem(words.ptr, words.len, PASSWORD, strlen(PASSWORD)));
    CHARLE_ASSERT(rc || !must_fail);
    for (size_t i = 0; !rc && i < config.listen_count; i++)
        ch_config_is_exposed(config.listen[i]);
    ch_config_deinit(&config);
}

static void run_file(struct charle_bytes bytes)
{
    char path[64], flag[80], *argv[] = {(char[]){"charled"}, flag, NULL}, *environment[] = {(char[]){"HOME=/nowhere"}, NULL};
    snprintf(path, sizeof(path), "/dev/shm/charle-token-%ld.conf", (long)getpid());
    snprintf(flag, sizeof(flag), "--config=%s", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHARLE_ASSERT(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    close(fd);
    check_config(2, argv, environment, bytes, memchr(bytes.ptr, '\0', bytes.len) != NULL);
    unlink(path);
}

// Words with zero bytes between them: flags, or variables.
static void run_words(struct charle_bytes bytes, bool are_flags)
{
    char *text = copy_text(bytes), *flags[WORDS_MAX + 2] = {(char[]){"charled"}};
    char *variables[WORDS_MAX + 3] = {(char[]){"HOME=/nowhere"}, (char[]){"DATABASE_URL=postgresql://u:" PASSWORD "@h/d"}};
    char **words = are_flags ? flags + 1 : variables + 2;
    int count = 0;
    for (size_t at = 0; at < bytes.len && count < WORDS_MAX; at += strlen(text + at) + 1)
        words[count++] = text + at;
    check_config(are_flags ? count + 1 : 1, flags, variables, bytes, false);
    free(text);
}

static void run_address(struct charle_bytes bytes)
{
    char *text = copy_text(bytes);
    struct charle_error err = {0};
    const struct ch_transport *transport = NULL;
    if (ch_transport_of(text, &transport, &err))
        CHARLE_ASSERT(err.text[0]);
    else
        CHARLE_ASSERT(transport && strlen(text) < CH_ADDRESS_SIZE);
    ch_address_is_exposed(text);
    ch_config_is_exposed(text);
    free(text);
}

static void run_hint(struct charle_bytes bytes)
{
    static const uint8_t key[CH_HINT_KEY_SIZE] = {1, 2, 3};
    const struct ch_hint mine = {.kind = CH_HINT_LOOK, .counter = bytes.len};
    uint8_t written[CH_HINT_SIZE];
    struct ch_hint hint;
    CHARLE_ASSERT(!ch_hint_read(bytes.ptr, bytes.len, key, &hint)); // made without the key
    ch_hint_write(&mine, key, written);
    for (size_t i = 0; i < bytes.len && i < CH_HINT_SIZE; i++)
        written[i] ^= bytes.ptr[i];
    bool is_changed = false;
    for (size_t i = 0; i < bytes.len && i < CH_HINT_SIZE; i++)
        is_changed |= bytes.ptr[i] != 0;
    CHARLE_ASSERT(ch_hint_read(written, CH_HINT_SIZE, key, &hint) == !is_changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct charle_bytes rest = charle_bytes(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
        run_token(rest);
        break;
    case 1:
        run_file(rest);
        break;
    case 2:
        run_words(rest, true);
        break;
    case 3:
        run_words(rest, false);
        break;
    case 4:
        run_address(rest);
        break;
    default:
        run_hint(rest);
        break;
    }
    return 0;
}
