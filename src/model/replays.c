#include "model/replays.h"
#include <string.h>

static void forget(struct t5_replays_entry *e, t5_device *dev) {
    for (int i = 0; i < T5_REPLAY_PARTS; i++)
        dev->ops->replay_free(dev, e->part[i]);
    *e = (struct t5_replays_entry){0};
}

t5_replay **t5_replays_find(t5_replays *r, t5_device *dev, const int number[T5_REPLAY_NUMBERS]) {
    struct t5_replays_entry *oldest = &r->entry[0];
    const size_t bytes = sizeof oldest->number;
    for (struct t5_replays_entry *e = r->entry; e < r->entry + T5_REPLAYS; e++) {
        if (e->used > 0 && memcmp(e->number, number, bytes) == 0) {
            e->used = ++r->uses;
            return e->part;
        }
        if (e->used < oldest->used)
            oldest = e;
    }
    forget(oldest, dev);
    memcpy(oldest->number, number, bytes);
    oldest->used = ++r->uses;
    return oldest->part;
}

void t5_replays_forget(t5_replays *r, t5_device *dev) {
    for (struct t5_replays_entry *e = r->entry; e < r->entry + T5_REPLAYS; e++)
        forget(e, dev);
    r->uses = 0;
}
