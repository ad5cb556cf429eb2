#pragma once
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <uv.h>

// glibc declares accept4 only for GNU sources, which Swift's import of it is not.
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);

static inline int banyan_accept(int socket, void *address, socklen_t length) {
    return accept4(socket, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Swift's import of glibc knows no eventfd.
static inline int banyan_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
