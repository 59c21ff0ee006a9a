/* Which steps of a decoder are the same, so that a device can replay them. */
#include "model/decode_internal.h"

/* 1, 2, 4, 8, 12, 16, 24, 32, 48 ...: few enough for steps to meet again. */
static int class_of(int n) {
    int size = 1;
    while (size < n)
        size *= 2;
    return size > 8 && n <= size / 4 * 3 ? size / 4 * 3 : size;
}

static int at_most(int n, int most) {
    return n < most ? n : most;
}

/* A beam search's caches are reordered at every step, whether they need it or not, so that a
 * position's plan is always the same. Inputs are rounded up to a multiple of 64 tokens. */
t5_decode_plan t5_decoder_plan(const t5_decoder *d) {
    const t5_live *live = &d->live;
    const int longest = d->m->work.stack[T5_ENCODER].max_len;
    t5_decode_plan p = {.position = live->position,
                        .lanes = live->n,
                        .rows = d->live_rows,
                        .most_of_row = d->most_of_row,
                        .longest_input = longest,
                        .reorder = live->moved};
    if (d->m->dev->replays) {
        p.lanes = at_most(class_of(live->n), d->capacity);
        p.rows = at_most(p.lanes, d->capacity_rows);
        p.most_of_row = d->settings.width;
        p.longest_input = (longest + 63) / 64 * 64;
        p.reorder = live->moved || (d->settings.width > 1 && live->position > 0);
    }
    p.shifted = d->shifted != p.reorder;
    return p;
}

void t5_decoder_run(t5_decoder *d) {
    t5_device *dev = d->m->dev;
    const t5_decode_plan *p = &d->plan;
    if (!dev->replays) {
        t5_decoder_queue(d);
        return;
    }
    const int number[T5_REPLAY_NUMBERS] = {p->position / T5_REPLAY_PARTS,
                                           p->lanes,
                                           p->rows,
                                           p->most_of_row,
                                           p->longest_input,
                                           p->reorder,
                                           p->shifted};
    t5_replay **part = t5_replays_find(&d->replays, dev, number);
    dev->ops->replay(dev, &part[p->position % T5_REPLAY_PARTS], t5_decoder_queue, d);
}
