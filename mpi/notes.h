/* Short messages between the watches of the ranks (watch.h), sent and received without waiting. */
#ifndef T5_MPI_NOTES_H
#define T5_MPI_NOTES_H
#include "mpi/comm_internal.h"

typedef enum {
    T5_NOTE_SIGN,  /* of life */
    T5_NOTE_ASK,   /* how many calls of the communicator `comm` have you entered? */
    T5_NOTE_ANSWER /* so many */
} t5_note_kind;
enum { T5_NOTE_KINDS = 3 };

typedef struct t5_note {
    int32_t kind, comm;
    uint64_t calls;
    int32_t in_service; /* waits for rank 0's helper */
    int32_t question;   /* its number, in the answer, too */
} t5_note;

typedef struct t5_notes t5_notes;

/* Ranks are the world's. Collective; not agreed upon. */
t5_status t5_notes_open(t5_comm *world, t5_notes **notes, t5_error *err);
/* Drops the note if the last one of its kind to this rank is still on its way. */
void t5_notes_send(t5_notes *notes, int to, const t5_note *note);
bool t5_notes_receive(t5_notes *notes, t5_note *note, int *from); /* false: there is none */
/* Collective, when nobody sends any more. NULL is fine (on all ranks). */
void t5_notes_close(t5_notes *notes);

#endif
