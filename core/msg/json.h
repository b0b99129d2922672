// JSON <-> structs, driven by the same descriptors as the wire.
//
// Names are snake_case as in the .proto. Enums are their names; timestamps "2026-11-22T12:41:00Z"; dates "2026-11-22";
// int64 are numbers; bytes base64; numeric a string; jsonb inline JSON. Absent and null mean the same.
#ifndef CHARLE_MSG_JSON_H
#define CHARLE_MSG_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "msg/msg.h"

// Appends one JSON object on one line. Absent optional fields are left out.
void charle_message_write_json(const struct charle_message *type, const void *message, struct charle_buf *buf);

// Parses text into *out (zeroed here first); all memory is from the arena. INVALID_ARGUMENT names the field and what
// was expected; an unknown name is an error that lists the known ones.
CHARLE_MUST_CHECK enum charle_err charle_message_read_json(const struct charle_message *type, struct charle_str text,
                                                           struct charle_arena *arena, void *out,
                                                           struct charle_error *err);

// One value that is not a message, from its plain text: as in JSON, but without quotes. *out has
// charle_type_size(field->type) bytes; text may point into `text`. INVALID_ARGUMENT says what the field expects.
CHARLE_MUST_CHECK enum charle_err charle_field_read_text(const struct charle_field *field, struct charle_str text,
                                                         struct charle_arena *arena, void *out,
                                                         struct charle_error *err);

// One value, as it stands in an object; and a JSON string with its quotes.
void charle_field_write_json(const struct charle_field *field, const void *message, struct charle_buf *buf);
void charle_json_write_str(struct charle_buf *buf, struct charle_str text);

#endif
