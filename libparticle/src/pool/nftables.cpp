// SPDX-License-Identifier: Apache-2.0
#include "pool/nftables.hpp"

#include <dlfcn.h>

#include <memory>
#include <string_view>
#include <type_traits>

#include <nftables/libnftables.h>

namespace particle {
namespace {

/// What is used of the library. It stays loaded.
struct Library {
  decltype(&nft_ctx_new) make = nullptr;
  decltype(&nft_ctx_free) free = nullptr;
  decltype(&nft_ctx_buffer_output) buffer_output = nullptr;
  decltype(&nft_ctx_buffer_error) buffer_error = nullptr;
  decltype(&nft_ctx_get_output_buffer) output = nullptr;
  decltype(&nft_ctx_get_error_buffer) error = nullptr;
  decltype(&nft_run_cmd_from_buffer) run = nullptr;
  bool whole = false;
};

Library load() {
  Library library;
  void* handle = ::dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return library;
  bool whole = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    whole = whole && function != nullptr;
  };
  find(library.make, "nft_ctx_new");
  find(library.free, "nft_ctx_free");
  find(library.buffer_output, "nft_ctx_buffer_output");
  find(library.buffer_error, "nft_ctx_buffer_error");
  find(library.output, "nft_ctx_get_output_buffer");
  find(library.error, "nft_ctx_get_error_buffer");
  find(library.run, "nft_run_cmd_from_buffer");
  library.whole = whole;
  return library;
}

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

/// nft says what is wrong in several lines, with the rule that it is about: the first one will do.
Error refused(const std::string& words) {
  const std::string line = words.substr(0, words.find('\n'));
  Errc kind = Errc::kernel;
  std::string hint;
  if (line.find("not permitted") != std::string::npos) {
    kind = Errc::permission_denied;
    hint = "needs CAP_NET_ADMIN";
  } else if (line.find("not supported") != std::string::npos ||
             line.find("No such file or directory") != std::string::npos) {
    kind = Errc::unsupported;
    hint =
        "egress and published ports need nf_tables with NAT in the kernel "
        "(CONFIG_NF_TABLES_INET, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_FIB_INET)";
  }
  return Error::of(kind, "nft: " + line, std::move(hint));
}

/// Runs commands in the calling thread's namespace; what they print.
Result<std::string> run(const std::string& commands) {
  const Library& nft = library();
  if (!nft.whole) {
    return fail(Error::of(Errc::not_found, "libnftables.so.1 is not there",
                          "egress and published ports need it: apt-get install libnftables1"));
  }
  const std::unique_ptr<nft_ctx, decltype(nft.free)> context(nft.make(NFT_CTX_DEFAULT), nft.free);
  if (!context) return fail(Error::of(Errc::exhausted, "nft_ctx_new"));
  nft.buffer_output(context.get());
  nft.buffer_error(context.get());
  if (nft.run(context.get(), commands.c_str()) != 0) return fail(refused(nft.error(context.get())));
  return std::string(nft.output(context.get()));
}

}  // namespace

Result<void> replace_table_here(const std::string& table, const std::string& rules) {
  // Named first, so that there is one to delete whether there was one or not.
  std::string commands = "table inet " + table + "\ndelete table inet " + table + "\n";
  if (!rules.empty()) commands += "table inet " + table + " {\n" + rules + "}\n";
  auto done = run(commands);
  if (!done) return fail(std::move(done.error()));
  return {};
}

Result<std::optional<std::string>> observe_table_here(const std::string& table) {
  auto tables = run("list tables inet");
  if (!tables) return fail(std::move(tables.error()));
  // A line for each; names are followed by nothing.
  if (("\n" + *tables).find("\ntable inet " + table + "\n") == std::string::npos)
    return std::optional<std::string>{};
  auto text = run("list table inet " + table);
  if (!text) return fail(std::move(text.error()));
  static constexpr std::string_view kMark = "comment \"";
  const auto begin = text->find(kMark);
  if (begin == std::string::npos) return std::optional<std::string>("");
  const auto value = begin + kMark.size();
  return std::optional(text->substr(value, text->find('"', value) - value));
}

}  // namespace particle
