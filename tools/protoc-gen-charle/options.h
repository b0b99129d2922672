// Our options, read from where protoc-c leaves them: the unknown fields of google.protobuf.*Options.
#ifndef CHARLE_GEN_OPTIONS_H
#define CHARLE_GEN_OPTIONS_H

#include "gen.h"

// The option `charle.<kind>` of an element, or NULL when it has none. `options` is the element's options message, which
// may be NULL. An option written in several pieces (option (charle.table).id = 1; option (charle.table).name = "x";)
// comes as one.
const void *ch_option_read(struct ch_gen *gen, const ProtobufCMessage *options, const ProtobufCMessageDescriptor *kind,
                           struct ch_place place);

#endif
