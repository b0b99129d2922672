// Orders to devices: to wipe a replica. An order stands until it is taken back: a copy of a wiped replica that comes later is wiped as well.
#ifndef CHARLE_SERVER_SYNC_ORDER_H
#define CHARLE_SERVER_SYNC_ORDER_H

#include "charle/devices.charle.h"
#include "server/sync/sync.h"

enum ch_order { CH_ORDER_NONE, CH_ORDER_WIPE, CH_ORDER_PUSH_AND_WIPE };

// In the transaction of Open: learns the device's key, if it has said none before, and tells it of an order.
CHARLE_MUST_CHECK enum charle_err ch_order_of_open(struct charle_db *db, const struct charle_open_request *request, uint32_t *out,
                                                   struct charle_error *err);
// A device asks by its key. Another key, an unknown device and no order look the same.
CHARLE_MUST_CHECK enum charle_err ch_order_ask(struct charle_db *db, const struct charle_device_order_request *request, uint32_t *out,
                                               struct charle_error *err);
// A device says that it was wiped. FAILED_PRECONDITION when it was not ordered to.
CHARLE_MUST_CHECK enum charle_err ch_order_done(struct charle_db *db, const struct charle_device_wiped_request *request, struct charle_error *err);
// The peer, or with is_operator anybody, gives or takes back an order. NOT_FOUND for a device that is not theirs.
CHARLE_MUST_CHECK enum charle_err ch_order_give(struct charle_db *db, const struct ch_sync_peer *peer, bool is_operator,
                                                const struct charle_device_wipe_request *request, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_order_list(struct charle_db *db, const struct ch_sync_peer *peer, bool is_operator, struct charle_arena *arena,
                                                struct charle_device_list_reply *out, struct charle_error *err);

#endif
