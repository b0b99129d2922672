#include "server/sqltext.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 4096, DOLLAR_TAG_LEN_MAX = 66 };

struct hasher {
    crypto_generichash_state state;
    unsigned char block[BLOCK_SIZE];
    size_t used;
};

static void put(struct hasher *h, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        h->block[h->used++] = (unsigned char)data[i];
        if (h->used == BLOCK_SIZE) {
            crypto_generichash_update(&h->state, h->block, h->used);
            h->used = 0;
        }
    }
}

// The length of a comment or of white space at `at`; 0: something else is there. Block comments nest, as in PostgreSQL.
static size_t blank_len(const char *at, const char *end)
{
    if (isspace((unsigned char)*at))
        return 1;
    if (end - at < 2)
        return 0;
    const char *c = at;
    if (c[0] == '-' && c[1] == '-') {
        while (c < end && *c != '\n')
            c++;
        return (size_t)(c - at);
    }
    if (c[0] != '/' || c[1] != '*')
        return 0;
    int depth = 0;
    while (c < end) {
        bool opens = end - c >= 2 && c[0] == '/' && c[1] == '*';
        bool closes = end - c >= 2 && c[0] == '*' && c[1] == '/';
        depth += opens - closes;
        c += opens || closes ? 2 : 1;
        if (depth == 0)
            break;
    }
    return (size_t)(c - at);
}

// The length of a quoted part that begins at `at`: '…', "…" or $tag$…$tag$; 0: none. An unclosed one goes to the end.
static size_t quoted_len(const char *at, const char *end)
{
    if (*at == '\'' || *at == '"') {
        const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
        return close ? (size_t)(close - at) + 1 : (size_t)(end - at); // a doubled quote begins the next part
    }
    if (*at != '$')
        return 0;
    const char *tag = at + 1;
    while (tag < end && (isalnum((unsigned char)*tag) || *tag == '_'))
        tag++;
    size_t len = (size_t)(tag - at) + 1;
    if (tag == end || *tag != '$' || isdigit((unsigned char)at[1]) || len > DOLLAR_TAG_LEN_MAX)
        return 0;
    const char *close = memmem(tag + 1, (size_t)(end - tag - 1), at, len);
    return close ? (size_t)(close - at) + len : (size_t)(end - at);
}

void ch_sql_checksum(struct charle_str sql, char out[CH_SQL_CHECKSUM_SIZE])
{
    struct hasher h = {.used = 0};
    unsigned char digest[32];
    crypto_generichash_init(&h.state, NULL, 0, sizeof(digest));
    const char *at = sql.ptr, *end = sql.ptr ? sql.ptr + sql.len : NULL;
    bool has_text = false, has_blank = false;
    while (at < end) {
        size_t len = blank_len(at, end);
        if (len) {
            has_blank = true;
            at += len;
            continue;
        }
        if (has_blank && has_text)
            put(&h, " ", 1);
        len = quoted_len(at, end);
        len = len ? len : 1;
        put(&h, at, len);
        at += len;
        has_text = true;
        has_blank = false;
    }
    crypto_generichash_update(&h.state, h.block, h.used);
    crypto_generichash_final(&h.state, digest, sizeof(digest));
    sodium_bin2hex(out, CH_SQL_CHECKSUM_SIZE, digest, sizeof(digest));
}

bool ch_sql_schema_hash(struct charle_str sql, uint64_t *out)
{
    static const char mark[] = "-- schema ";
    const char *line = memmem(sql.ptr, sql.len, mark, sizeof(mark) - 1);
    if (!line || (line != sql.ptr && line[-1] != '\n'))
        return false;
    size_t room = sql.len - (size_t)(line - sql.ptr);
    char text[120] = "";
    size_t len = 0;
    while (len < room && len < sizeof(text) - 1 && line[len] != '\n')
        len++;
    memcpy(text, line, len);
    const char *digits = strrchr(text, ' ');
    char *end;
    *out = digits ? strtoull(digits + 1, &end, 16) : 0;
    return digits && *end == '\0' && end == digits + 17;
}
