#include "mpi/notes.h"
#include <stdlib.h>

typedef struct outgoing {
    MPI_Request request;
    t5_note note; /* MPI's until the request is complete */
} outgoing;

struct t5_notes {
    MPI_Comm handle;
    int size;
    outgoing *out; /* (size, T5_NOTE_KINDS) */
};

t5_status t5_notes_open(t5_comm *world, t5_notes **notes, t5_error *err) {
    const size_t n = (size_t)world->size * T5_NOTE_KINDS;
    t5_notes *s = calloc(1, sizeof *s);
    outgoing *out = calloc(n, sizeof *out);
    MPI_Comm handle = MPI_COMM_NULL;
    *notes = NULL;
    t5_mpi_check(MPI_Comm_dup(world->handle, &handle), "MPI_Comm_dup", err);
    if (err->status == T5_OK && (!s || !out))
        t5_fail(err, T5_ERR_MEMORY, "no memory for the watch over the ranks");
    if (err->status != T5_OK) {
        if (handle != MPI_COMM_NULL)
            MPI_Comm_free(&handle);
        free(s);
        free(out);
        return err->status;
    }
    for (size_t i = 0; i < n; i++)
        out[i].request = MPI_REQUEST_NULL;
    *s = (t5_notes){handle, world->size, out};
    *notes = s;
    return T5_OK;
}

/* What goes wrong here is seen by the others as silence. */
void t5_notes_send(t5_notes *s, int to, const t5_note *note) {
    outgoing *o = &s->out[to * T5_NOTE_KINDS + note->kind];
    int complete = 0;
    if (MPI_Test(&o->request, &complete, MPI_STATUS_IGNORE) != MPI_SUCCESS || !complete)
        return;
    o->note = *note;
    if (MPI_Isend(&o->note, (int)sizeof o->note, MPI_BYTE, to, 0, s->handle, &o->request) !=
        MPI_SUCCESS)
        o->request = MPI_REQUEST_NULL;
    else
        MPI_Test(&o->request, &complete, MPI_STATUS_IGNORE);
}

bool t5_notes_receive(t5_notes *s, t5_note *note, int *from) {
    int found = 0;
    MPI_Message message;
    MPI_Status status;
    if (MPI_Improbe(MPI_ANY_SOURCE, 0, s->handle, &found, &message, &status) != MPI_SUCCESS ||
        !found)
        return false;
    *from = status.MPI_SOURCE;
    return MPI_Mrecv(note, (int)sizeof *note, MPI_BYTE, &message, MPI_STATUS_IGNORE) == MPI_SUCCESS;
}

/* All notes of all ranks have been sent before the barrier; what has arrived is taken, so that
 * their senders are done. */
void t5_notes_close(t5_notes *s) {
    t5_note note;
    int from;
    if (!s)
        return;
    MPI_Barrier(s->handle);
    while (t5_notes_receive(s, &note, &from))
        ;
    for (int i = 0; i < s->size * T5_NOTE_KINDS; i++)
        if (s->out[i].request != MPI_REQUEST_NULL)
            MPI_Wait(&s->out[i].request, MPI_STATUS_IGNORE);
    MPI_Comm_free(&s->handle);
    free(s->out);
    free(s);
}
