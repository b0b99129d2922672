// Values whose text form has rules of its own: exact decimals and UUIDs. Everything that takes such text from outside
// goes through here, so that equal values are equal bytes wherever they are stored.
#ifndef CHARLE_MSG_SCALAR_H
#define CHARLE_MSG_SCALAR_H

#include "base/arena.h"
#include "msg/msg.h"

// Reads a decimal ("-12.50", "+.5", "1.5e3") and gives its canonical form ("-12.5", "0.5", "1500"). The result is
// `text` itself when that is canonical, otherwise a copy in the arena. False for anything that is not a finite decimal,
// for more than CH_NUMERIC_LEN_MAX characters before or after, and when the arena is full.
bool charle_numeric_read(struct charle_str text, struct charle_arena *arena, struct charle_numeric *out);
bool charle_numeric_is_canonical(struct charle_str text);
// Compares two canonical decimals by value: negative, 0 or positive.
int charle_numeric_compare(struct charle_numeric a, struct charle_numeric b);

// 36 characters, lower case, with dashes. The reader takes either case, with or without dashes.
#define CHARLE_UUID_TEXT_LEN 36
void charle_uuid_write(struct charle_uuid uuid, char out[CHARLE_UUID_TEXT_LEN + 1]); // NUL-terminated
bool charle_uuid_read(struct charle_str text, struct charle_uuid *out);

#endif
