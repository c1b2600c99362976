// SPDX-License-Identifier: Apache-2.0
/// OpenSSL's objects, owned. Included by wire/tls*.cpp alone, so that nothing else knows OpenSSL.
#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <particle/unique_fd.hpp>

#include "wire/tls.hpp"

namespace particle::fleet {

struct TlsFree {
  void operator()(SSL_CTX* it) const noexcept { SSL_CTX_free(it); }
  void operator()(SSL* it) const noexcept { SSL_free(it); }
  void operator()(SSL_SESSION* it) const noexcept { SSL_SESSION_free(it); }
  void operator()(BIO_METHOD* it) const noexcept { BIO_meth_free(it); }
};
template <class T>
using TlsOwned = std::unique_ptr<T, TlsFree>;

struct TlsParty {
  Secret secret;
  std::string cluster, self;
  TlsOwned<BIO_METHOD> socket_io;
  TlsOwned<SSL_CTX> context;
};

struct TlsLink {
  std::shared_ptr<const TlsParty> party;
  UniqueFd socket;
  bool accepting = false;
  std::string peer;      ///< the name to prove, or that was proved
  std::string identity;  ///< of the side that connects
  std::string refusal;   ///< why the other side's identity was not taken
  TlsOwned<SSL> ssl;     ///< last: it uses the others until it is gone
};

/// The words of OpenSSL's latest error in this thread, or `otherwise`.
std::string tls_words(const char* otherwise);
/// Its reason's number; 0 when there is none.
int tls_reason();

/// For read and write with send(2) and MSG_NOSIGNAL: OpenSSL's own would raise SIGPIPE.
TlsOwned<BIO_METHOD> make_socket_io();

/// A finished handshake's connection.
std::unique_ptr<Transport> make_tls_transport(std::unique_ptr<TlsLink> link);

}  // namespace particle::fleet
