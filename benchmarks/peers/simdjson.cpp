// C++ simdjson: `simdjson dom|fields|books PLACE every|top`, the limit of what comes from the raw text.
//
// dom: every frame parsed to its tree, nothing looked at. fields: on demand, the fields of books and trades found and the
// texts of their numbers looked at. books: those numbers made integers, books in arrays of 10,001 prices, the strategy
// compiled into the loop. The whole file is in memory before; reading it is timed as a part of its own.

#include <simdjson.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

using namespace simdjson;

namespace {

constexpr int DOLLAR = 10'000;
constexpr int TIGHT = 200;

struct Side {
    std::array<int64_t, DOLLAR + 1> sizes{};
    int best = 0;

    void put(int price, int64_t size) {
        sizes[price] = size;
        if (size && price > best) best = price;
        if (!size && price == best)
            while (best && !sizes[best]) --best;
    }
    void clear() {
        sizes.fill(0);
        best = 0;
    }
};

struct Book {
    Side sides[2];
    int64_t top[4] = {-1, 0, 0, 0};
};

struct Seen {
    int64_t books = 0, bids = 0, tight = 0, trades = 0, volume = 0, tickers = 0, changes = 0, top_bids = 0, looked = 0;
};

int64_t units(std::string_view text, int digits) {
    int64_t value = 0;
    bool negative = false, fraction = false;
    for (char c : text) {
        if (c == '-') negative = true;
        else if (c == '.') fraction = true;
        else {
            value = value * 10 + (c - '0');
            digits -= fraction;
        }
    }
    while (digits-- > 0) value *= 10;
    return negative ? -value : value;
}

struct Bot {
    bool with_books, every;
    Seen seen;
    std::unordered_map<std::string, std::unique_ptr<Book>> books;
    std::string key;

    Book &book(std::string_view market) {
        key.assign(market);
        auto &found = books[key];
        if (!found) found = std::make_unique<Book>();
        return *found;
    }

    void booked(Book &book) {
        Side &yes = book.sides[0], &no = book.sides[1];
        if (every) {
            seen.books++;
            seen.bids += yes.best;
            seen.tight += yes.best && no.best && DOLLAR - no.best - yes.best <= TIGHT;
            return;
        }
        int64_t top[4] = {yes.best, yes.sizes[yes.best], no.best, no.sizes[no.best]};
        if (std::memcmp(top, book.top, sizeof top)) {
            std::memcpy(book.top, top, sizeof top);
            seen.changes++;
            seen.top_bids += yes.best;
        }
    }

    void delta(ondemand::object msg) {
        std::string_view market = msg["market_ticker"], price = msg["price_dollars"], size = msg["delta_fp"];
        std::string_view name = msg["side"];
        if (!with_books) {
            seen.looked += market.size() + price.size() + size.size() + name.size();
            return;
        }
        Book &found = book(market);
        Side &side = found.sides[name == "yes" ? 0 : 1];
        int at = int(units(price, 4));
        side.put(at, side.sizes[at] + units(size, 2));
        booked(found);
    }

    void levels(Book *book, int which, simdjson_result<ondemand::array> rows) {
        if (book) book->sides[which].clear();
        ondemand::array found;
        if (std::move(rows).get(found)) return;
        for (ondemand::array level : found) {
            std::string_view parts[2];
            int at = 0;
            for (auto part : level) parts[at++] = part.get_string();
            if (book) book->sides[which].put(int(units(parts[0], 4)), units(parts[1], 2));
            else seen.looked += parts[0].size() + parts[1].size();
        }
    }

    void frame(ondemand::object found) {
        std::string_view type = found["type"];
        if (type == "orderbook_delta") delta(found["msg"]);
        else if (type == "orderbook_snapshot") {
            ondemand::object msg = found["msg"];
            std::string_view market = msg["market_ticker"];
            Book *own = with_books ? &book(market) : nullptr;
            levels(own, 0, msg["yes_dollars_fp"].get_array());
            levels(own, 1, msg["no_dollars_fp"].get_array());
            if (own) booked(*own);
        } else if (type == "trade") {
            std::string_view size = found["msg"]["count_fp"];
            seen.trades++;
            seen.volume += units(size, 2);
        } else if (type == "ticker") seen.tickers++;
    }
};

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu() { return double(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int, char **arguments) {
    std::string mode = arguments[1], path = std::string(arguments[2]) + "/frames.jsonl";
    double start = now(), cpu_start = cpu();
    padded_string text = padded_string::load(path);
    double loaded = now(), cpu_loaded = cpu();
    Bot bot{mode == "books", std::string(arguments[3]) == "every", {}, {}, {}};
    int64_t frames = 0;
    constexpr size_t BATCH = 1 << 20;
    if (mode == "dom") {
        dom::parser parser;
        dom::document_stream stream = parser.parse_many(text, BATCH);
        for (auto document : stream) frames += document.error() == SUCCESS;
    } else {
        ondemand::parser parser;
        ondemand::document_stream stream = parser.iterate_many(text, BATCH);
        for (auto document : stream) {
            bot.frame(document.get_object());
            frames++;
        }
    }
    double ended = now(), cpu_ended = cpu();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const Seen &s = bot.seen;
    std::printf(
        "\n{\"version\":\"%d.%d.%d\",\"frames\":%ld,\"parts\":{\"load\":%.6f,\"run\":%.6f},"
        "\"cpu\":{\"load\":%.6f,\"run\":%.6f},\"peak_mb\":%.1f,\"unseen\":[],\"seen\":"
        "{\"books\":%ld,\"bids\":%ld,\"tight\":%ld,\"trades\":%ld,\"volume\":%ld,\"tickers\":%ld,\"changes\":%ld,"
        "\"top_bids\":%ld},\"looked\":%ld}\n",
        SIMDJSON_VERSION_MAJOR, SIMDJSON_VERSION_MINOR, SIMDJSON_VERSION_REVISION, long(frames), loaded - start, ended - loaded,
        cpu_loaded - cpu_start, cpu_ended - cpu_loaded, usage.ru_maxrss * 1024 / 1e6, long(s.books),
        long(s.bids), long(s.tight), long(s.trades), long(s.volume), long(s.tickers), long(s.changes), long(s.top_bids),
        long(s.looked));
}
