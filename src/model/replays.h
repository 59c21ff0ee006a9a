/* What a device replays, found again by the numbers that it was made for: sizes, a position. The
 * latest used ones are kept. Inside src/model. */
#ifndef T5_MODEL_REPLAYS_H
#define T5_MODEL_REPLAYS_H
#include "device/device.h"

enum { T5_REPLAY_NUMBERS = 8, T5_REPLAY_PARTS = 32, T5_REPLAYS = 64 };

typedef struct t5_replays {
    struct t5_replays_entry {
        int number[T5_REPLAY_NUMBERS];
        uint64_t used; /* 0: a free entry */
        t5_replay *part[T5_REPLAY_PARTS];
    } entry[T5_REPLAYS];
    uint64_t uses;
} t5_replays;

/* The T5_REPLAY_PARTS places for what these numbers stand for, each for the device's `replay`; new
 * ones begin as NULL, where needed instead of those that were not used for longest. Valid until the
 * next call. */
t5_replay **t5_replays_find(t5_replays *r, t5_device *dev, const int number[T5_REPLAY_NUMBERS]);
/* Frees all: an address that they know is no longer true, or the model goes. */
void t5_replays_forget(t5_replays *r, t5_device *dev);

#endif
