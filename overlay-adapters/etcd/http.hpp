// SPDX-License-Identifier: Apache-2.0
/// HTTP as etcd's gateway needs it: one request after the other, and beside them one answer that does
/// not end (a watch). Over libcurl.
///
/// Threads: one thread at a time, but for wake().
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <particle/result.hpp>

namespace particle::overlay {

/// PEM files; each may be empty.
struct TlsFiles {
  std::string authority;    ///< whom to trust; empty: the system's certificate authorities
  std::string certificate;  ///< of this client
  std::string key;
};

struct HttpReply {
  long status = 0;
  std::string body;
};

struct HttpRequest {
  std::string url;
  std::string body;           ///< JSON
  std::string authorization;  ///< the header's value; empty: none
};

struct Transfer;  // one request under way; internal

class Http {
 public:
  Http(TlsFiles tls, std::stop_token stop);
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;
  ~Http();

  /// Posts and waits for the whole answer; what the stream brings meanwhile is kept.
  /// Errors: io with libcurl's words (no route, refused, timed out, a certificate that is not
  /// trusted); interrupted when a stop was requested.
  Result<HttpReply> post(const HttpRequest& request, std::chrono::milliseconds limit);

  /// The same with the method GET; the body is not sent. Asks for JSON.
  Result<HttpReply> get(const HttpRequest& request, std::chrono::milliseconds limit);

  /// Posts; the answer comes as lines, until close_stream() or its end. Replaces the one before.
  void open_stream(const HttpRequest& request);
  void close_stream();
  /// Whole lines that have arrived since the last call.
  [[nodiscard]] std::vector<std::string> take_lines();
  /// Why there is no stream any more; nothing while there is one.
  [[nodiscard]] std::optional<Error> stream_error() const;

  /// Until the stream has something, wake() was called, or the time is over.
  void wait(std::chrono::milliseconds limit);
  /// From any thread: ends a wait() now, or the next one at once.
  void wake();

 private:
  Result<HttpReply> await(std::unique_ptr<Transfer> transfer, std::chrono::milliseconds limit);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace particle::overlay
