/* Growing arrays, for this folder's .c files. */
#ifndef T5_DATA_GROW_H
#define T5_DATA_GROW_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* `memory` with room for at least `want` elements of `size` bytes, and *cap set to what there is
 * room for; NULL, with memory and *cap untouched, if that much cannot be had. Doubling keeps
 * appending linear; large blocks grow by remapping, and pages not yet written to cost nothing. */
static inline void *t5_grown(void *memory, size_t *cap, size_t want, size_t size) {
    if (memory && want <= *cap)
        return memory;
    size_t next = *cap < 1024 ? 1024 : *cap;
    while (next < want) {
        if (next > SIZE_MAX / 2)
            return NULL;
        next *= 2;
    }
    if (next > SIZE_MAX / size)
        return NULL;
    void *moved = realloc(memory, next * size);
    if (moved)
        *cap = next;
    return moved;
}

#endif
