// SPDX-License-Identifier: Apache-2.0
#include "etcd/http.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <system_error>
#include <utility>

#include <curl/curl.h>

namespace particle::overlay {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr long kConnectMilliseconds = 2000;
/// More than etcd's largest answer to anything that is asked here (a page of keys, a burst of events).
constexpr std::size_t kLargestBody = 256U << 20U;

}  // namespace

/// One request under way. It does not move: libcurl keeps its address.
struct Transfer {
  Transfer(const HttpRequest& request, const TlsFiles& tls, bool get = false);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
  /// What went wrong, in libcurl's words.
  [[nodiscard]] Error error(CURLcode code) const;

  CURL* easy = curl_easy_init();
  curl_slist* headers = nullptr;
  std::string url;
  std::string body;
  std::string received;
  std::array<char, CURL_ERROR_SIZE> words{};
  std::optional<CURLcode> done;
  const char* method = "POST";
};

namespace {

std::size_t receive(char* data, std::size_t size, std::size_t count, void* transfer) {
  std::string& received = static_cast<Transfer*>(transfer)->received;
  if (received.size() + size * count > kLargestBody) return 0;  // libcurl then gives up
  received.append(data, size * count);
  return size * count;
}

void set(CURL* easy, CURLoption option, const std::string& value) {
  if (!value.empty()) curl_easy_setopt(easy, option, value.c_str());
}

}  // namespace

Transfer::Transfer(const HttpRequest& request, const TlsFiles& tls, bool get)
    : url(request.url), body(request.body), method(get ? "GET" : "POST") {
  headers = curl_slist_append(headers,
                              get ? "Accept: application/json" : "Content-Type: application/json");
  // Without it libcurl asks whether it may send more than 1 MiB, and waits a second for the answer.
  headers = curl_slist_append(headers, "Expect:");
  if (!request.authorization.empty())
    headers = curl_slist_append(headers, ("Authorization: " + request.authorization).c_str());
  set(easy, CURLOPT_URL, url);
  // The servers are named in our settings: no environment variable may lead elsewhere.
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (get) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words.data());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  // A watch may be silent for hours: then the kernel finds out that its server is gone.
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 10L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  set(easy, CURLOPT_CAINFO, tls.authority);
  set(easy, CURLOPT_SSLCERT, tls.certificate);
  set(easy, CURLOPT_SSLKEY, tls.key);
}

Error Transfer::error(CURLcode code) const {
  Error error = Error::of(Errc::io, std::string(method) + " " + url);
  long reason = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &reason);
  error.kernel_message = words[0] != '\0' ? words.data() : curl_easy_strerror(code);
  // Here libcurl counts milliseconds in its words, which would make each failure look like a new one.
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT) {
    error.kernel_message = curl_easy_strerror(code);
    if (reason != 0) {
      error.kernel_message += ": " + std::generic_category().message(static_cast<int>(reason));
    }
  }
  return error;
}

struct Http::Impl {
  Impl(TlsFiles files, std::stop_token token) : tls(std::move(files)), stop(std::move(token)) {}

  TlsFiles tls;
  std::stop_token stop;
  CURLM* multi = curl_multi_init();
  std::unique_ptr<Transfer> stream{};
  std::optional<Error> stream_error{};
  std::atomic<bool> woken =
      false;  ///< and wait() has not noticed yet: post() may have taken the call

  void start(Transfer& transfer) const { curl_multi_add_handle(multi, transfer.easy); }
  void forget(std::unique_ptr<Transfer>& transfer) const {
    if (transfer) curl_multi_remove_handle(multi, transfer->easy);
    transfer.reset();
  }
  /// Moves data; notes which transfers have ended.
  void pump();
};

void Http::Impl::pump() {
  int running = 0;
  curl_multi_perform(multi, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    transfer->done = message->data.result;
    if (transfer != stream.get()) continue;
    stream_error = transfer->error(message->data.result);
    if (message->data.result == CURLE_OK)
      stream_error->kernel_message = "the server ended it " + transfer->received;
  }
}

Http::Http(TlsFiles tls, std::stop_token stop)
    : impl_(std::make_unique<Impl>(std::move(tls), std::move(stop))) {}

Http::~Http() {
  close_stream();
  curl_multi_cleanup(impl_->multi);
}

Result<HttpReply> Http::post(const HttpRequest& request, milliseconds limit) {
  return await(std::make_unique<Transfer>(request, impl_->tls), limit);
}

Result<HttpReply> Http::get(const HttpRequest& request, milliseconds limit) {
  return await(std::make_unique<Transfer>(request, impl_->tls, true), limit);
}

Result<HttpReply> Http::await(std::unique_ptr<Transfer> transfer, milliseconds limit) {
  curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
  impl_->start(*transfer);
  // Whoever requests the stop calls wake() after it.
  while (!transfer->done && !impl_->stop.stop_requested()) {
    impl_->pump();
    if (!transfer->done) curl_multi_poll(impl_->multi, nullptr, 0, 1000, nullptr);
  }
  Result<HttpReply> reply =
      fail(Error::of(Errc::interrupted, std::string(transfer->method) + " " + transfer->url));
  if (transfer->done == CURLE_OK) {
    reply = HttpReply{};
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    reply->body = std::move(transfer->received);
  } else if (transfer->done) {
    reply = fail(transfer->error(*transfer->done));
  }
  impl_->forget(transfer);
  return reply;
}

void Http::open_stream(const HttpRequest& request) {
  close_stream();
  impl_->stream = std::make_unique<Transfer>(request, impl_->tls);
  impl_->start(*impl_->stream);
}

void Http::close_stream() {
  impl_->forget(impl_->stream);
  impl_->stream_error.reset();
}

std::vector<std::string> Http::take_lines() {
  std::vector<std::string> lines;
  if (!impl_->stream) return lines;
  std::string& text = impl_->stream->received;
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  text.erase(0, begin);
  return lines;
}

std::optional<Error> Http::stream_error() const {
  return impl_->stream_error;
}

void Http::wait(milliseconds limit) {
  impl_->pump();
  const bool has_line = impl_->stream && impl_->stream->received.find('\n') != std::string::npos;
  const bool woken = impl_->woken.exchange(false);
  if (has_line || woken || impl_->stream_error || impl_->stop.stop_requested()) return;
  const auto timeout = std::clamp(limit, milliseconds(0), milliseconds(60'000));
  curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(timeout.count()), nullptr);
  impl_->pump();
}

void Http::wake() {
  impl_->woken = true;
  curl_multi_wakeup(impl_->multi);
}

}  // namespace particle::overlay
