#include "rpc/frame.h"

#include "base/limits.h"

enum {
    HELLO_SIZE = 24,
    CALL_FIXED_SIZE = 8,
    STATUS_FIXED_SIZE = 12,
    GOAWAY_FIXED_SIZE = 8,
    ENTRY_FIXED_SIZE = 3,
    KEY_LEN_MAX = 64,
    GOAWAY_TEXT_MAX = 1024,
};

// --- numbers ---------------------------------------------------------------------------------------------------------

static void put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, (uint16_t)value);
    put16(to + 2, (uint16_t)(value >> 16));
}

static uint32_t get32(const uint8_t *from)
{
    return get16(from) | (uint32_t)get16(from + 2) << 16;
}

// --- headers ---------------------------------------------------------------------------------------------------------

static const char *const type_names[] = {
    [CH_FRAME_HELLO] = "HELLO",           [CH_FRAME_CALL] = "CALL",     [CH_FRAME_MESSAGE] = "MESSAGE",
    [CH_FRAME_HALF_CLOSE] = "HALF_CLOSE", [CH_FRAME_STATUS] = "STATUS", [CH_FRAME_CANCEL] = "CANCEL",
    [CH_FRAME_WINDOW] = "WINDOW",         [CH_FRAME_PING] = "PING",     [CH_FRAME_PONG] = "PONG",
    [CH_FRAME_GOAWAY] = "GOAWAY",
};
enum { TYPE_COUNT = sizeof(type_names) / sizeof(type_names[0]) };

const char *ch_frame_type_name(uint8_t type)
{
    return type > 0 && type < TYPE_COUNT ? type_names[type] : "unknown";
}

static bool flags_fit(uint8_t type, uint8_t flags)
{
    if ((flags & CH_FRAME_MORE) && (flags & CH_FRAME_END))
        return false; // a part that is followed by another one is not the last
    if (type == CH_FRAME_MESSAGE)
        return !(flags & ~(CH_FRAME_MORE | CH_FRAME_END));
    if (type == CH_FRAME_CALL)
        return !(flags & ~(CH_FRAME_MORE | CH_FRAME_END | CH_FRAME_BODY)) &&
               ((flags & CH_FRAME_BODY) || !(flags & CH_FRAME_MORE));
    return flags == 0;
}

static bool is_of_connection(uint8_t type)
{
    return type == CH_FRAME_HELLO || type == CH_FRAME_PING || type == CH_FRAME_PONG || type == CH_FRAME_GOAWAY;
}

enum charle_err ch_frame_read_header(const uint8_t bytes[CH_FRAME_HEADER_SIZE], struct ch_frame *out,
                                     struct charle_error *err)
{
    *out = (struct ch_frame){get32(bytes), bytes[4], bytes[5], get32(bytes + 8)};
    if (out->type == 0 || out->type >= TYPE_COUNT)
        return charle_fail(err, CHARLE_MALFORMED, "frame type %u does not exist", out->type);
    const char *name = type_names[out->type];
    if (out->size > CH_RPC_FRAME_SIZE_MAX)
        return charle_fail(err, CHARLE_MALFORMED, "a %s frame of %u bytes is above the limit of %u; send parts", name,
                           out->size, CH_RPC_FRAME_SIZE_MAX);
    if (!flags_fit(out->type, out->flags))
        return charle_fail(err, CHARLE_MALFORMED, "a %s frame cannot have the flags %#x", name, out->flags);
    if (get16(bytes + 6) != 0)
        return charle_fail(err, CHARLE_MALFORMED, "bytes 6 and 7 of a %s frame's header are not zero", name);
    if (is_of_connection(out->type) != (out->stream_id == 0))
        return charle_fail(err, CHARLE_MALFORMED, "a %s frame cannot be on stream %u", name, out->stream_id);
    return CHARLE_OK;
}

// Makes room for a frame of `size` payload bytes, writes its header and returns where the payload goes; NULL when the
// buffer has failed. The whole frame is reserved first, so that a full buffer never holds half of one.
static uint8_t *begin(struct charle_buf *buf, uint8_t type, uint8_t flags, uint32_t stream_id, size_t size)
{
    uint8_t *to = charle_buf_reserve(buf, CH_FRAME_HEADER_SIZE + size);
    if (!to)
        return NULL;
    put32(to, (uint32_t)size);
    to[4] = type;
    to[5] = flags;
    put16(to + 6, 0);
    put32(to + 8, stream_id);
    charle_buf_advance(buf, CH_FRAME_HEADER_SIZE + size);
    return to + CH_FRAME_HEADER_SIZE;
}

static uint8_t *put_bytes(uint8_t *to, const void *from, size_t size)
{
    if (size)
        memcpy(to, from, size);
    return to + size;
}

static enum charle_err wrong_size(uint8_t type, size_t size, struct charle_error *err)
{
    return charle_fail(err, CHARLE_MALFORMED, "a %s frame of %zu bytes is cut or has bytes too many", type_names[type],
                       size);
}

// --- HELLO -----------------------------------------------------------------------------------------------------------

void ch_frame_write_hello(struct charle_buf *buf, const struct ch_hello *hello)
{
    uint8_t *to = begin(buf, CH_FRAME_HELLO, 0, 0, HELLO_SIZE);
    if (!to)
        return;
    put16(to, hello->version);
    put16(to + 2, 0);
    put32(to + 4, hello->frame_size_max);
    put32(to + 8, hello->message_size_max);
    put32(to + 12, hello->stream_window);
    put32(to + 16, hello->calls_max);
    put32(to + 20, hello->heartbeat_ms);
}

// A longer HELLO is one of a later version: what is behind the known part is left alone.
enum charle_err ch_frame_read_hello(struct charle_bytes payload, struct ch_hello *out, struct charle_error *err)
{
    if (payload.len < HELLO_SIZE)
        return wrong_size(CH_FRAME_HELLO, payload.len, err);
    const uint8_t *p = payload.ptr;
    *out = (struct ch_hello){get16(p), get32(p + 4), get32(p + 8), get32(p + 12), get32(p + 16), get32(p + 20)};
    if (out->version == 0 || out->frame_size_max < CH_RPC_FRAME_SIZE_MAX || out->message_size_max == 0 ||
        out->stream_window == 0 || out->stream_window > INT32_MAX || out->calls_max == 0 || out->heartbeat_ms == 0)
        return charle_fail(err, CHARLE_MALFORMED, "a HELLO frame announces limits nobody can work with");
    return CHARLE_OK;
}

// --- metadata --------------------------------------------------------------------------------------------------------

static bool is_key(const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = key[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return len > 0 && len <= KEY_LEN_MAX;
}

size_t ch_metadata_size(struct charle_metadata metadata)
{
    size_t size = 0;
    for (size_t i = 0; i < metadata.count; i++)
        size += ENTRY_FIXED_SIZE + metadata.entries[i].key.len + metadata.entries[i].value.len;
    return size;
}

enum charle_err ch_metadata_check(struct charle_metadata metadata, struct charle_error *err)
{
    if (metadata.count > CH_RPC_METADATA_COUNT_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%zu metadata entries are above the limit of %d",
                           metadata.count, CH_RPC_METADATA_COUNT_MAX);
    for (size_t i = 0; i < metadata.count; i++) {
        const struct charle_metadata_entry *entry = &metadata.entries[i];
        if (!is_key(entry->key.ptr, entry->key.len))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                               "metadata entry %zu has a key that is not 1 to %d of a-z, 0-9, '-', '_' and '.'", i,
                               KEY_LEN_MAX);
        if (entry->value.len > CH_RPC_METADATA_SIZE_MAX)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                               "the metadata value of \"%.*s\" is above the limit of %d bytes", CHARLE_FMT(entry->key),
                               CH_RPC_METADATA_SIZE_MAX);
    }
    if (ch_metadata_size(metadata) > CH_RPC_METADATA_SIZE_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "metadata of %zu bytes is above the limit of %d",
                           ch_metadata_size(metadata), CH_RPC_METADATA_SIZE_MAX);
    return CHARLE_OK;
}

static uint8_t *put_metadata(uint8_t *to, struct charle_metadata metadata)
{
    for (size_t i = 0; i < metadata.count; i++) {
        const struct charle_metadata_entry *entry = &metadata.entries[i];
        to[0] = (uint8_t)entry->key.len;
        put16(to + 1, (uint16_t)entry->value.len);
        to = put_bytes(to + ENTRY_FIXED_SIZE, entry->key.ptr, entry->key.len);
        to = put_bytes(to, entry->value.ptr, entry->value.len);
    }
    return to;
}

void ch_metadata_write(struct charle_buf *buf, struct charle_metadata metadata)
{
    size_t size = ch_metadata_size(metadata);
    uint8_t *to = size ? charle_buf_reserve(buf, size) : NULL;
    if (!to)
        return;
    put_metadata(to, metadata);
    charle_buf_advance(buf, size);
}

// Takes `count` entries from the front of *bytes and checks them.
static enum charle_err read_metadata(struct charle_bytes *bytes, size_t count, struct ch_metadata_block *out,
                                     struct charle_error *err)
{
    const uint8_t *p = bytes->ptr;
    size_t left = bytes->len;
    if (count > CH_RPC_METADATA_COUNT_MAX)
        return charle_fail(err, CHARLE_MALFORMED, "%zu metadata entries are above the limit of %d", count,
                           CH_RPC_METADATA_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t key_len = left >= ENTRY_FIXED_SIZE ? p[0] : 0;
        size_t size = left >= ENTRY_FIXED_SIZE ? ENTRY_FIXED_SIZE + key_len + get16(p + 1) : SIZE_MAX;
        if (size > left)
            return charle_fail(err, CHARLE_MALFORMED, "metadata entry %zu is cut", i);
        if (!is_key((const char *)p + ENTRY_FIXED_SIZE, key_len))
            return charle_fail(err, CHARLE_MALFORMED,
                               "metadata entry %zu has a key that is not 1 to %d of a-z, 0-9, '-', '_' and '.'", i,
                               KEY_LEN_MAX);
        p += size;
        left -= size;
    }
    *out = (struct ch_metadata_block){charle_bytes(bytes->ptr, bytes->len - left), count};
    if (out->bytes.len > CH_RPC_METADATA_SIZE_MAX)
        return charle_fail(err, CHARLE_MALFORMED, "metadata of %zu bytes is above the limit of %d", out->bytes.len,
                           CH_RPC_METADATA_SIZE_MAX);
    *bytes = charle_bytes(p, left);
    return CHARLE_OK;
}

void ch_metadata_unpack(struct ch_metadata_block block, struct charle_metadata_entry *out_entries)
{
    const uint8_t *p = block.bytes.ptr;
    for (size_t i = 0; i < block.count; i++) {
        size_t key_len = p[0], value_len = get16(p + 1);
        const char *key = (const char *)p + ENTRY_FIXED_SIZE;
        out_entries[i].key = charle_str_n(key, key_len);
        out_entries[i].value = charle_str_n(key + key_len, value_len);
        p += ENTRY_FIXED_SIZE + key_len + value_len;
    }
}

// --- CALL ------------------------------------------------------------------------------------------------------------

// Printable ASCII without spaces: a name reaches logs and is compared byte by byte.
enum charle_err ch_method_name_check(struct charle_str method, struct charle_error *err)
{
    if (method.len == 0 || method.len > CH_RPC_METHOD_LEN_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a method name has 1 to %d bytes, this one has %zu",
                           CH_RPC_METHOD_LEN_MAX, method.len);
    for (size_t i = 0; i < method.len; i++) {
        if (method.ptr[i] <= 0x20 || method.ptr[i] > 0x7e)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "byte %zu of a method name is not printable ASCII", i);
    }
    return CHARLE_OK;
}

size_t ch_frame_call_head_size(const struct ch_call_out *call)
{
    return CALL_FIXED_SIZE + call->method.len + ch_metadata_size(call->metadata);
}

void ch_frame_write_call(struct charle_buf *buf, uint32_t stream_id, uint8_t flags, const struct ch_call_out *call,
                         struct charle_bytes body)
{
    size_t size = ch_frame_call_head_size(call) + body.len;
    uint8_t *to = begin(buf, CH_FRAME_CALL, flags, stream_id, size);
    if (!to)
        return;
    put32(to, call->timeout_ms);
    put16(to + 4, call->method_number);
    to[6] = (uint8_t)call->method.len;
    to[7] = (uint8_t)call->metadata.count;
    to = put_bytes(to + CALL_FIXED_SIZE, call->method.ptr, call->method.len);
    to = put_metadata(to, call->metadata);
    put_bytes(to, body.ptr, body.len);
}

enum charle_err ch_frame_read_call(struct charle_bytes payload, uint8_t flags, struct ch_call_head *out,
                                   struct charle_bytes *out_body, struct charle_error *err)
{
    const uint8_t *p = payload.ptr;
    if (payload.len < CALL_FIXED_SIZE || payload.len < CALL_FIXED_SIZE + (size_t)p[6])
        return wrong_size(CH_FRAME_CALL, payload.len, err);
    *out = (struct ch_call_head){.timeout_ms = get32(p),
                                 .method_number = get16(p + 4),
                                 .method = charle_str_n((const char *)p + CALL_FIXED_SIZE, p[6])};
    if (out->method_number > CH_RPC_METHODS_MAX || (out->method_number == 0 && out->method.len == 0))
        return charle_fail(err, CHARLE_MALFORMED, "a CALL frame has neither a method name nor a number of 1 to %d",
                           CH_RPC_METHODS_MAX);
    enum charle_err rc = out->method.len ? ch_method_name_check(out->method, err) : CHARLE_OK;
    if (rc)
        return CHARLE_MALFORMED;
    size_t fixed = CALL_FIXED_SIZE + out->method.len;
    struct charle_bytes rest = charle_bytes(p + fixed, payload.len - fixed);
    rc = read_metadata(&rest, p[7], &out->metadata, err);
    if (rc)
        return rc;
    if (rest.len && !(flags & CH_FRAME_BODY))
        return wrong_size(CH_FRAME_CALL, payload.len, err);
    *out_body = rest;
    return CHARLE_OK;
}

// --- MESSAGE, HALF_CLOSE, CANCEL -------------------------------------------------------------------------------------

void ch_frame_write_message(struct charle_buf *buf, uint32_t stream_id, uint8_t flags, struct charle_bytes part)
{
    uint8_t *to = begin(buf, CH_FRAME_MESSAGE, flags, stream_id, part.len);
    if (to)
        put_bytes(to, part.ptr, part.len);
}

void ch_frame_write_half_close(struct charle_buf *buf, uint32_t stream_id)
{
    begin(buf, CH_FRAME_HALF_CLOSE, 0, stream_id, 0);
}

void ch_frame_write_cancel(struct charle_buf *buf, uint32_t stream_id)
{
    begin(buf, CH_FRAME_CANCEL, 0, stream_id, 0);
}

// --- STATUS ----------------------------------------------------------------------------------------------------------

// The precise code is ours; the status beside it is for a peer that does not know it, and decides when the two
// disagree.
static enum charle_err read_code(const uint8_t *p)
{
    enum charle_err code = (enum charle_err)get16(p);
    bool is_known = charle_err_status(code) == p[2] && code != CHARLE_DONE;
    return is_known ? code : charle_err_from_status(p[2]);
}

static void put_code(uint8_t *to, enum charle_err code)
{
    put16(to, (uint16_t)code);
    to[2] = (uint8_t)charle_err_status(code);
}

void ch_frame_write_status(struct charle_buf *buf, uint32_t stream_id, const struct charle_status *status)
{
    size_t text_len = status->text.len < CH_RPC_STATUS_TEXT_MAX ? status->text.len : CH_RPC_STATUS_TEXT_MAX;
    size_t details_len = status->details.len <= CH_RPC_DETAILS_SIZE_MAX ? status->details.len : 0;
    bool has_trailers = ch_metadata_check(status->trailers, NULL) == CHARLE_OK;
    struct charle_metadata trailers = has_trailers ? status->trailers : (struct charle_metadata){0};
    size_t size = STATUS_FIXED_SIZE + text_len + details_len + ch_metadata_size(trailers);
    uint8_t *to = begin(buf, CH_FRAME_STATUS, 0, stream_id, size);
    if (!to)
        return;
    put_code(to, status->code);
    to[3] = (uint8_t)trailers.count;
    put32(to + 4, (uint32_t)text_len);
    put32(to + 8, (uint32_t)details_len);
    to = put_bytes(to + STATUS_FIXED_SIZE, status->text.ptr, text_len);
    to = put_bytes(to, status->details.ptr, details_len);
    put_metadata(to, trailers);
}

enum charle_err ch_frame_read_status(struct charle_bytes payload, struct ch_status_head *out, struct charle_error *err)
{
    const uint8_t *p = payload.ptr;
    if (payload.len < STATUS_FIXED_SIZE)
        return wrong_size(CH_FRAME_STATUS, payload.len, err);
    size_t text_len = get32(p + 4), details_len = get32(p + 8), left = payload.len - STATUS_FIXED_SIZE;
    if (text_len > left || details_len > left - text_len)
        return wrong_size(CH_FRAME_STATUS, payload.len, err);
    *out = (struct ch_status_head){.code = read_code(p),
                                   .text = charle_str_n((const char *)p + STATUS_FIXED_SIZE, text_len),
                                   .details = charle_bytes(p + STATUS_FIXED_SIZE + text_len, details_len)};
    struct charle_bytes rest = charle_bytes(out->details.ptr + details_len, left - text_len - details_len);
    enum charle_err rc = read_metadata(&rest, p[3], &out->trailers, err);
    if (!rc && rest.len)
        return wrong_size(CH_FRAME_STATUS, payload.len, err);
    return rc;
}

// --- WINDOW, PING, PONG, GOAWAY --------------------------------------------------------------------------------------

void ch_frame_write_window(struct charle_buf *buf, uint32_t stream_id, uint32_t size)
{
    uint8_t *to = begin(buf, CH_FRAME_WINDOW, 0, stream_id, 4);
    if (to)
        put32(to, size);
}

enum charle_err ch_frame_read_window(struct charle_bytes payload, uint32_t *out_size, struct charle_error *err)
{
    if (payload.len != 4)
        return wrong_size(CH_FRAME_WINDOW, payload.len, err);
    *out_size = get32(payload.ptr);
    return CHARLE_OK;
}

void ch_frame_write_ping(struct charle_buf *buf, enum ch_frame_type type, uint64_t value)
{
    uint8_t *to = begin(buf, (uint8_t)type, 0, 0, 8);
    if (!to)
        return;
    put32(to, (uint32_t)value);
    put32(to + 4, (uint32_t)(value >> 32));
}

enum charle_err ch_frame_read_ping(struct charle_bytes payload, uint64_t *out_value, struct charle_error *err)
{
    if (payload.len != 8)
        return wrong_size(CH_FRAME_PING, payload.len, err);
    *out_value = get32(payload.ptr) | (uint64_t)get32(payload.ptr + 4) << 32;
    return CHARLE_OK;
}

void ch_frame_write_goaway(struct charle_buf *buf, const struct ch_goaway *goaway)
{
    size_t text_len = goaway->text.len < GOAWAY_TEXT_MAX ? goaway->text.len : GOAWAY_TEXT_MAX;
    uint8_t *to = begin(buf, CH_FRAME_GOAWAY, 0, 0, GOAWAY_FIXED_SIZE + text_len);
    if (!to)
        return;
    put_code(to, goaway->code);
    to[3] = 0;
    put32(to + 4, goaway->last_stream_id);
    put_bytes(to + GOAWAY_FIXED_SIZE, goaway->text.ptr, text_len);
}

enum charle_err ch_frame_read_goaway(struct charle_bytes payload, struct ch_goaway *out, struct charle_error *err)
{
    const uint8_t *p = payload.ptr;
    if (payload.len < GOAWAY_FIXED_SIZE || payload.len > GOAWAY_FIXED_SIZE + GOAWAY_TEXT_MAX)
        return wrong_size(CH_FRAME_GOAWAY, payload.len, err);
    *out = (struct ch_goaway){read_code(p), get32(p + 4),
                              charle_str_n((const char *)p + GOAWAY_FIXED_SIZE, payload.len - GOAWAY_FIXED_SIZE)};
    return CHARLE_OK;
}
