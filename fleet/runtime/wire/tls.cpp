// SPDX-License-Identifier: Apache-2.0
#include "wire/tls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <poll.h>

#include <particle/pool.hpp>

#include "wire/tls_link.hpp"

namespace particle::fleet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kProtocol = "particle-fleet/1";
constexpr const char* kSuite = "TLS_AES_128_GCM_SHA256";
constexpr std::array<unsigned char, 2> kSuiteNumber = {0x13, 0x01};
constexpr const char* kWhatToLookFor =
    "is it an agent of this version that has --secret-file, not --no-authentication?";
constexpr std::size_t kKeySize = 32;  // of the suite's hash

TlsLink& link_of(SSL* ssl) {
  return *static_cast<TlsLink*>(SSL_get_app_data(ssl));
}

/// HKDF (RFC 5869). False when OpenSSL cannot.
bool derive_key(const Secret& secret, std::string_view identity,
                std::array<unsigned char, kKeySize>& key) {
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  EVP_KDF_free(kdf);
  std::string digest = "SHA256";
  std::string salt(kProtocol);
  std::string info(identity);
  // OpenSSL's interface takes what it only reads as writable.
  auto* bytes = const_cast<unsigned char*>(secret.bytes().data());  // NOLINT(*-const-cast)
  const std::array<OSSL_PARAM, 5> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, bytes, secret.bytes().size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  const bool ok =
      context != nullptr && EVP_KDF_derive(context, key.data(), key.size(), params.data()) == 1;
  EVP_KDF_CTX_free(context);
  return ok;
}

/// The external key of a connection, as TLS 1.3 wants it. Null when OpenSSL cannot.
TlsOwned<SSL_SESSION> make_session(SSL* ssl, const Secret& secret, std::string_view identity) {
  std::array<unsigned char, kKeySize> key{};
  TlsOwned<SSL_SESSION> session(SSL_SESSION_new());
  const SSL_CIPHER* suite = SSL_CIPHER_find(ssl, kSuiteNumber.data());
  const bool ok = session && suite != nullptr && derive_key(secret, identity, key) &&
                  SSL_SESSION_set1_master_key(session.get(), key.data(), key.size()) == 1 &&
                  SSL_SESSION_set_cipher(session.get(), suite) == 1 &&
                  SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) == 1;
  OPENSSL_cleanse(key.data(), key.size());
  return ok ? std::move(session) : nullptr;
}

/// Why an identity that was offered is not taken; empty when it is.
std::string judge(const TlsParty& party, const std::optional<TlsNames>& names) {
  if (!names) return "it offers a key that is none of a fleet's";
  if (names->cluster != party.cluster) {
    return "it is of cluster " + names->cluster + ", this agent of " + party.cluster;
  }
  if (names->to != party.self) {
    return "it looks for node " + names->to + ", and this is " + party.self;
  }
  if (names->from == party.self) return "it calls itself " + party.self + ", as this agent does";
  return {};
}

/// Accepting side: which key belongs to this identity? Without one the handshake fails by itself, as
/// there is no certificate either.
int find_session(SSL* ssl, const unsigned char* identity, std::size_t size, SSL_SESSION** out) {
  *out = nullptr;
  TlsLink& link = link_of(ssl);
  const std::string text(identity, identity + size);
  const auto names = TlsNames::parse(text);
  link.refusal = judge(*link.party, names);
  if (!link.refusal.empty()) return 1;
  link.peer = names->from;
  *out = make_session(ssl, link.party->secret, text).release();
  return *out != nullptr ? 1 : 0;
}

/// Connecting side.
int use_session(SSL* ssl, const EVP_MD* /*digest*/, const unsigned char** identity,
                std::size_t* size, SSL_SESSION** out) {
  TlsLink& link = link_of(ssl);
  *out = make_session(ssl, link.party->secret, link.identity).release();
  *identity = static_cast<const unsigned char*>(static_cast<const void*>(link.identity.data()));
  *size = link.identity.size();
  return *out != nullptr ? 1 : 0;
}

TlsOwned<SSL_CTX> make_context() {
  TlsOwned<SSL_CTX> out(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = out.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, kSuite) != 1 || SSL_CTX_set_num_tickets(context, 0) != 1 ||
      SSL_CTX_set1_groups_list(context, "X25519:P-256") != 1) {
    return nullptr;
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_psk_find_session_callback(context, &find_session);
  SSL_CTX_set_psk_use_session_callback(context, &use_session);
  return out;
}

Result<std::unique_ptr<TlsLink>> make_link(std::shared_ptr<const TlsParty> party, UniqueFd socket) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail(Error::from_errno(errno, "make a connection non-blocking"));
  }
  auto link = std::make_unique<TlsLink>();
  link->party = std::move(party);
  link->socket = std::move(socket);
  link->ssl.reset(SSL_new(link->party->context.get()));
  BIO* io = link->ssl ? BIO_new(link->party->socket_io.get()) : nullptr;
  if (io == nullptr || SSL_set_app_data(link->ssl.get(), link.get()) != 1) {
    return fail(Error::of(Errc::exhausted, "begin TLS: " + tls_words("no memory")));
  }
  BIO_set_data(io, link.get());
  BIO_set_init(io, 1);
  SSL_set_bio(link->ssl.get(), io, io);  // which owns it now
  return link;
}

Error not_proved(const TlsLink& link, const std::string& why, const char* hint) {
  Error out = Error::of(Errc::permission_denied,
                        "TLS with " + (link.accepting ? "a client" : "node " + link.peer), hint);
  out.kernel_message = why;
  return out;
}

/// Why the accepting side has refused; `words` are OpenSSL's.
Error refused_client(const TlsLink& link, const std::string& words) {
  if (!link.refusal.empty()) return not_proved(link, link.refusal, "");
  if (tls_reason() == SSL_R_BINDER_DOES_NOT_VERIFY) {
    return not_proved(link, "it has another secret than this agent",
                      "all agents of a fleet have one secret file");
  }
  Error out = Error::of(Errc::protocol, "TLS with a client");
  out.kernel_message = "it does not speak what agents speak: " + words;
  return out;
}

/// The same for the connecting side, which hears alerts.
Error refused_by_server(const TlsLink& link, const std::string& words) {
  switch (tls_reason()) {
    case SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return not_proved(link, "the agent there has another secret",
                        "all agents of a fleet have one secret file");
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return not_proved(link, "the agent there has another name or is of another cluster",
                        "its log says which; compare its --name and --cluster");
    default:
      break;
  }
  Error out = Error::of(Errc::protocol, "TLS with node " + link.peer, kWhatToLookFor);
  out.kernel_message = "it does not speak TLS as agents do: " + words;
  return out;
}

Error cut_off(const TlsLink& link, int error) {
  const std::string what = link.accepting ? "TLS with a client" : "TLS with node " + link.peer;
  if (error != 0) return Error::from_errno(error, what);
  Error out = Error::of(Errc::io, what, kWhatToLookFor);
  out.kernel_message = "it went away during the handshake";
  return out;
}

}  // namespace

std::string TlsNames::to_identity() const {
  return std::string(kProtocol) + "\n" + cluster + "\n" + from + "\n" + to;
}

std::optional<TlsNames> TlsNames::parse(std::string_view identity) {
  std::array<std::string_view, 4> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t end = i + 1 < parts.size() ? identity.find('\n') : identity.size();
    if (end == std::string_view::npos) return std::nullopt;
    parts.at(i) = identity.substr(0, end);
    identity.remove_prefix(std::min(end + 1, identity.size()));
  }
  const bool valid = parts[0] == kProtocol && check_name("cluster", parts[1]) &&
                     check_name("node name", parts[2]) && check_name("node name", parts[3]);
  if (!valid) return std::nullopt;
  return TlsNames{std::string(parts[1]), std::string(parts[2]), std::string(parts[3])};
}

TlsHandshake::TlsHandshake(std::unique_ptr<TlsLink> link) : link_(std::move(link)) {}
TlsHandshake::TlsHandshake(TlsHandshake&&) noexcept = default;
TlsHandshake& TlsHandshake::operator=(TlsHandshake&&) noexcept = default;
TlsHandshake::~TlsHandshake() = default;

Result<TlsHandshake::Step> TlsHandshake::advance() {
  SSL* ssl = link_->ssl.get();
  ERR_clear_error();
  errno = 0;
  const int done = SSL_do_handshake(ssl);
  const int error = errno;
  if (done == 1) {
    // Nothing but the shared key proves anything here.
    if (SSL_session_reused(ssl) == 1) return Step::done;
    return fail(not_proved(*link_, "it proves itself by a certificate, not by the secret", ""));
  }
  switch (SSL_get_error(ssl, done)) {
    case SSL_ERROR_WANT_READ:
      return Step::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Step::wants_write;
    case SSL_ERROR_SSL:
      if (tls_reason() == SSL_R_UNEXPECTED_EOF_WHILE_READING) return fail(cut_off(*link_, 0));
      return fail(link_->accepting ? refused_client(*link_, tls_words("TLS failed"))
                                   : refused_by_server(*link_, tls_words("TLS failed")));
    default:
      return fail(cut_off(*link_, error));
  }
}

int TlsHandshake::fd() const noexcept {
  return link_->socket.get();
}

const std::string& TlsHandshake::peer() const noexcept {
  return link_->peer;
}

std::unique_ptr<Transport> TlsHandshake::finish() && {
  return make_tls_transport(std::move(link_));
}

Result<Tls> Tls::open(Secret secret, std::string cluster, std::string self) {
  auto party = std::make_shared<TlsParty>(TlsParty{
      std::move(secret), std::move(cluster), std::move(self), make_socket_io(), make_context()});
  if (!party->socket_io || !party->context) {
    return fail(Error::of(Errc::unsupported, "set up TLS 1.3: " + tls_words("OpenSSL refuses")));
  }
  return Tls(std::move(party));
}

Result<TlsHandshake> Tls::accept(UniqueFd socket) const {
  auto link = make_link(party_, std::move(socket));
  if (!link) return fail(std::move(link.error()));
  (*link)->accepting = true;
  SSL_set_accept_state((*link)->ssl.get());
  return TlsHandshake(std::move(*link));
}

Result<TlsHandshake> Tls::connect(UniqueFd socket, std::string peer) const {
  auto link = make_link(party_, std::move(socket));
  if (!link) return fail(std::move(link.error()));
  (*link)->identity = TlsNames{party_->cluster, party_->self, peer}.to_identity();
  (*link)->peer = std::move(peer);
  SSL_set_verify((*link)->ssl.get(), SSL_VERIFY_PEER, nullptr);  // no certificate is ever trusted
  SSL_set_connect_state((*link)->ssl.get());
  return TlsHandshake(std::move(*link));
}

Result<std::unique_ptr<Transport>> Tls::connect(UniqueFd socket, std::string peer,
                                                std::chrono::milliseconds patience) const {
  const auto deadline = Clock::now() + patience;
  const std::string what = "TLS with node " + peer;
  auto handshake = connect(std::move(socket), std::move(peer));
  if (!handshake) return fail(std::move(handshake.error()));
  while (true) {
    const auto step = handshake->advance();
    if (!step) return fail(step.error());
    if (*step == TlsHandshake::Step::done) return std::move(*handshake).finish();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return fail(Error::from_errno(ETIMEDOUT, what, kWhatToLookFor));
    }
    const bool reads = *step == TlsHandshake::Step::wants_read;
    pollfd wait{handshake->fd(), static_cast<short>(reads ? POLLIN : POLLOUT), 0};
    ::poll(&wait, 1, static_cast<int>(left.count()));
  }
}

}  // namespace particle::fleet
