#include "key.h"

#include "password.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_SIZE = 32, PASSPHRASE_SIZE = 1026 };

static struct charle_client_key *new_key(struct cli *cli)
{
    static struct charle_client_key none; // without memory: opens nothing
    struct charle_client_key *key = charle_arena_alloc(&cli->arena, sizeof(*key));
    if (key)
        *key = none;
    return key ? key : &none;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t out[KEY_SIZE])
{
    for (int i = 0; i < KEY_SIZE; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static const struct charle_client_key *read_key_file(struct cli *cli, const char *path)
{
    struct charle_client_key *key = new_key(cli);
    uint8_t *bytes = charle_arena_alloc(&cli->arena, KEY_SIZE);
    char text[2 * KEY_SIZE + 3] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        close(fd);
    while (size > KEY_SIZE && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    bool is_good = bytes && (size == KEY_SIZE || (size == 2 * KEY_SIZE && read_hex(text, bytes)));
    if (is_good && size == KEY_SIZE)
        memcpy(bytes, text, KEY_SIZE);
    explicit_bzero(text, sizeof(text));
    if (is_good)
        key->bytes = bytes;
    else
        fprintf(stderr, "%s: the key file %s %s\n", CLI_NAME, path, fd < 0 ? "cannot be read" : "does not hold 32 bytes or 64 hexadecimal digits");
    return key;
}

const struct charle_client_key *key_given(struct cli *cli, const char *prefix)
{
    char name[64];
    snprintf(name, sizeof(name), "%s_KEY_FILE", prefix);
    const char *path = getenv(name);
    snprintf(name, sizeof(name), "%s_PASSPHRASE", prefix);
    const char *phrase = getenv(name);
    if (path && *path)
        return read_key_file(cli, path);
    if (!phrase || !*phrase)
        return NULL;
    struct charle_client_key *key = new_key(cli);
    key->passphrase = phrase;
    return key;
}

static const char *ask(struct cli *cli, const char *what)
{
    char phrase[PASSPHRASE_SIZE];
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "%s. ", what);
    const char *kept = password_read(phrase, sizeof(phrase)) ? charle_arena_str(&cli->arena, charle_str(phrase)).ptr : NULL;
    explicit_bzero(phrase, sizeof(phrase));
    return kept;
}

const struct charle_client_key *key_of_replica(struct cli *cli)
{
    const struct charle_client_key *given = key_given(cli, "CHARLE");
    struct charle_str path = charle_arena_printf(&cli->arena, "%s.key", cli_replica_path(cli));
    if (given || !path.ptr || access(path.ptr, F_OK) != 0 || !isatty(STDIN_FILENO))
        return given;
    struct charle_client_key *key = new_key(cli);
    key->passphrase = ask(cli, "The replica is encrypted");
    return key;
}

const struct charle_client_key *key_new(struct cli *cli)
{
    const struct charle_client_key *given = key_given(cli, "CHARLE_NEW");
    if (given)
        return given;
    struct charle_client_key *key = new_key(cli);
    key->passphrase = ask(cli, "Choose a passphrase for the replica");
    const char *again = key->passphrase && isatty(STDIN_FILENO) ? ask(cli, "Once more") : key->passphrase;
    if (key->passphrase && again && strcmp(key->passphrase, again) == 0)
        return key;
    fprintf(stderr, "%s: %s\n", CLI_NAME, key->passphrase ? "the two passphrases differ" : "no passphrase came on standard input");
    return NULL;
}
