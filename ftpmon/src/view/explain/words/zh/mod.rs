//! Chinese, in simplified characters.

mod layers;
mod terms;

use ftpmon_event::{AnomalyId, EndReason, GapCause, LoginOutcome, Mode, Nat, Outcome, TlsVia};

pub(super) use layers::term;
use terms::{argument, category, class, code, protected, purpose};

use super::number::{port_sum, successor};
use super::sentence::{Party, Say};

/// A sentence.
pub(super) fn say(what: Say<'_>) -> String {
    match what {
        Say::Session(id) => format!("FTP 会话 {id}"),
        Say::Began(at) => format!("开始于 {at}"),
        Say::Client => "客户端".into(),
        Say::Server => "服务器".into(),
        Say::User(user) => format!("用户 {user}"),
        Say::EventsOnly => "这里只有事件：序列号和单个报文段只在抓包文件中才有。".into(),

        Say::Syn(by, isn) => format!(
            "三次握手第一步：{}请求建立连接，选定初始序列号 {isn}，其相对值记为 0。此时还没有可确认的数据。",
            party(by)
        ),
        Say::SynAck(by, isn) => format!(
            "三次握手第二步：{}同意，并选定自己的初始序列号 {isn}（相对值 0）。SYN 占用一个序列号，所以需要确认。",
            party(by)
        ),
        Say::HandshakeAck(by) => format!("三次握手第三步：{}确认，连接建立完成。", party(by)),
        Say::SeqMustBe(by, is, of) => {
            let (sum, right) = successor(is, of);
            format!("序列号应为{}的初始序列号加 1，即 {sum}：{}。", party(by), it(is, right))
        }
        Say::AckMustBe(of_party, is, of) => {
            let (sum, right) = successor(is, of);
            format!("确认号应为{}的初始序列号加 1，即 {sum}：{}。", party(of_party), it(is, right))
        }
        Say::Midstream => "没有抓到连接的开头：相对序列号从抓到的第一个报文段算起。".into(),
        Say::SynAgain => "重发同一报文段：尚未收到应答。".into(),
        Say::HandshakeTook(time) => format!("从 SYN 到 ACK 用时 {time}。"),
        Say::NumbersUnknown => "事件中有握手的时间，没有序列号。".into(),
        Say::Fin(by) => format!("{}不再发送数据。FIN 与 SYN 一样占用一个序列号。", party(by)),
        Say::FinAck(of, number) => format!("确认{}的 FIN：其序列号加 1 为 {number}（相对值）。", party(of)),
        Say::Reset(by, true, false) => format!("{}复位连接：连接立即终止。", party(by)),
        Say::Reset(by, true, true) => {
            format!("{}复位连接。但之后仍有报文段：复位没有终止连接。", party(by))
        }
        Say::Reset(by, false, went_on) => format!(
            "{}发出复位，但其序列号不是对方期待的下一个。只有序列号完全相符的复位才会被接受（RFC 5961 第 3.2 节）。{}",
            party(by),
            if went_on { "连接继续进行。" } else { "" }
        ),

        Say::Bytes(from, end, ack) => {
            let next = ack.map(|ack| format!("；期待对方的下一个序列号为 {ack}")).unwrap_or_default();
            format!("序列号 {from} 至 {}（{} 字节）{next}。", end.wrapping_sub(1), end.wrapping_sub(from))
        }
        Say::Copy(bytes) => format!("重传：{bytes} 字节此前已经出现过。"),
        Say::Late(bytes) => format!("乱序：{bytes} 字节应在后面的数据之前。"),
        Say::Hole(bytes) => format!("在此之前有 {bytes} 字节尚未出现在抓包中。"),
        Say::NoLine(segments, client, server) => {
            format!("{segments} 个报文段没有构成完整的行：客户端 {client} 字节，服务器 {server} 字节。")
        }
        Say::Encrypted(segments, client, server) => format!(
            "TLS：{segments} 个报文段，客户端 {client} 字节，服务器 {server} 字节。其中的命令和应答无法读取。"
        ),

        Say::Purpose(name, verb) => format!("{name}：{}。", purpose(verb)),
        Say::NoCommand => "这一行不是 FTP 命令。".into(),
        Say::OddCharacters(true) => "参数中含有控制字符，它们不应出现在那里。".into(),
        Say::OddCharacters(false) => "这一行含有不应出现的控制字符或空白字符。".into(),
        Say::MaskedLine => "这一行没有已知的命令，可能含有口令，因此整行被遮盖。".into(),
        Say::Argument(what) => argument(what),
        Say::Protected(verb) => protected(verb).into(),
        Say::SecretMasked => "*** 代替的是以明文经过网络的口令。".into(),
        Say::SecretInClear => "口令以明文经过网络：能看到数据包的人都能得到它。".into(),
        Say::Truncated => "只保留了文本的开头。".into(),
        Say::Code(code, first, second) => {
            let first = first.map_or("没有 RFC 规定的数字", class);
            let second = second.map_or("没有 RFC 规定的数字", category);
            format!("{}xx：{first}。x{}x：{second}。", code / 100, code / 10 % 10)
        }
        Say::CodeMeans(number) => {
            code(number).map(|means| format!("{number:03}：{means}。")).unwrap_or_default()
        }
        Say::NoReply => "这一行不是 FTP 应答。".into(),
        Say::Greeting => "问候：FTP 连接建立后，由服务器先发言。".into(),
        Say::Unasked => "没有看到要求它的命令。".into(),
        Say::Lines(lines) => format!("应答共 {lines} 行。"),
        Say::AbortDone => "226：中止命令已执行，没有打开的数据连接。".into(),
        Say::Latency(time, Some(verb)) => format!("距 {verb} 命令 {time}。"),
        Say::Latency(time, None) => format!("距所应答的那一行 {time}。"),

        Say::SixNumbers(ip, port) => {
            format!("六个数字：前四个是地址 {ip}，后两个是端口，高字节在前：{}。", port_sum(port))
        }
        Say::PortAlone(port) => format!("端口直接写出，为 {port}；地址就是服务器自己的地址。"),
        Say::Extended(family, ip, port) => {
            let name = if family == 1 { "IPv4" } else { "IPv6" };
            format!("地址族 {family} 表示 {name}；地址 {ip} 和端口 {port} 都直接写出。")
        }
        Say::Long(ip, port) => {
            format!("逐字节写出：地址是 {ip}，端口高字节在前：{}。", port_sum(port))
        }
        Say::Inferred => "没有可读的端点通告：该连接是根据主机和时间找到的。".into(),
        Say::Listens(Some(Mode::Passive), end) => {
            format!("被动模式：服务器在 {end} 监听，由客户端发起连接。")
        }
        Say::Listens(Some(Mode::Active), end) => format!("主动模式：客户端在 {end} 监听，由服务器发起连接。"),
        Say::Listens(None, end) => format!("数据连接的目标是 {end}。"),
        Say::ListensElsewhere(end) => {
            format!("主动模式：服务器将连接 {end}。那是客户端以外的主机：在 FXP 中是另一台服务器在那里监听。")
        }
        Say::ListensFor(end, host) => format!(
            "被动模式：服务器在 {end} 监听。连接它的不是客户端而是 {host}：在 FXP 中是另一台服务器，由客户端把端点告知它；否则是外人。"
        ),
        Say::LowPort(port) => {
            format!(
                "端口 {port} 低于 1024：那里监听的是服务而不是客户端，服务器应当拒绝（RFC 2577 第 3 节）。"
            )
        }
        Say::ThirdHost(host) => format!(
            "{host} 既不是本会话的客户端也不是服务器：可能是 FXP（两台服务器之间传输文件），可能某台主机有多个地址，也可能是外人占用了连接。"
        ),
        Say::Loopback(said, meant) => {
            format!("{said} 是环回地址：它指使用它的主机本身，其他主机无法到达。预计连接在 {meant}。")
        }
        Say::OtherPrivate(said, meant) => format!(
            "{said} 是私有地址，但不是发送方的地址，而后者也是私有的：中间有 NAT，或者指另一台主机。预计连接在 {meant}。"
        ),
        Say::Local(said, meant) => {
            format!("{said} 是链路本地地址或共享地址，在其自身网络之外没有意义：从这里应连接 {meant}。")
        }
        Say::OtherHost(Party::Server, said) => {
            format!("{said} 不是这里所见的服务器地址：服务器有多个地址，或由另一台主机代为监听。")
        }
        Say::OtherHost(by, said) => {
            format!(
                "{said} 不是{}的地址，而是第三台主机的：FXP 如此，反弹攻击也如此（RFC 2577）。",
                party(by)
            )
        }
        Say::ServersOwn(said) => format!("{said} 是服务器自己的地址，不是客户端的。"),
        Say::Nat(nat, said, meant) => match nat {
            Nat::None => format!("地址就是发送方自己的 {meant}。"),
            Nat::Private => format!("{said} 是 NAT 后面的私有地址：从这里应连接 {meant}。"),
            Nat::Unspecified => format!("{said} 不指向任何主机：意思是发送方自己的地址 {meant}。"),
            Nat::Mismatch => format!("{said} 不是发送方的地址；预计连接在 {meant}。"),
        },

        Say::Login(user, outcome, encrypted) => {
            let user = user.map(|user| format!("用户 {user} ")).unwrap_or_default();
            let outcome = match outcome {
                LoginOutcome::Success => "成功",
                LoginOutcome::Failure => "被拒绝",
                LoginOutcome::Abandoned => "在得到结果之前放弃",
            };
            let how = if encrypted { "经 TLS" } else { "以明文" };
            format!("{user}{how}登录：{outcome}。")
        }
        Say::TlsStarts(via) => {
            let why = match via {
                TlsVia::Auth => "服务器接受了 AUTH 命令",
                TlsVia::Implicit => "该端口从第一个字节起就使用 TLS",
                TlsVia::Detected => "出现了 ClientHello",
                TlsVia::Ccc => "CCC 命令",
            };
            format!("从这里开始控制连接使用 TLS 加密：{why}。")
        }
        Say::TlsFacts(facts) => format!("TLS 参数：{facts}。"),
        Say::TlsStops => "TLS 结束：从这里开始对话恢复明文。".into(),

        Say::DataOpens(number, from, to) => format!("数据连接 D{number}：{from} 连接到 {to}。"),
        Say::DataBegins(by) => format!("{}发出第一批数据。", party(by)),
        Say::Transfer(Some(verb), path) => format!("传输 {verb} {path}："),
        Say::Transfer(None, _) => "没有可读命令的数据连接：".into(),
        Say::Outcome(how) => outcome(how).into(),
        Say::DataBytes([left, right], client, server) => {
            format!("{}发送 {client} 字节，{}发送 {server} 字节。", party(left), party(right))
        }
        Say::DataRate(time, rate) => {
            let rate = rate.map(|rate| format!("，速率 {rate}")).unwrap_or_default();
            format!("持续 {time}{rate}。")
        }
        Say::Declared(bytes, true) => format!("对话中声明的大小为 {bytes} 字节，与实际传输一致。"),
        Say::Declared(bytes, false) => format!("对话中声明的大小为 {bytes} 字节，与实际传输不一致。"),
        Say::DataLosses(again, never) => format!("重复出现 {again} 字节，从未出现 {never} 字节。"),
        Say::DataClosedBy(Some(by)) => format!("由{}关闭。", party(by)),
        Say::DataClosedBy(None) => "没有看到任何一方关闭。".into(),
        Say::DataTls => "该连接使用 TLS 加密。".into(),
        Say::NoData => "没有看到数据连接。".into(),

        Say::Gap(from, bytes, cause) => {
            let why = match cause {
                GapCause::Acknowledged => "接收方已经确认",
                GapCause::Missing => "后面的数据已到，这些没有到",
                GapCause::CutShort => "抓包截短了帧",
                GapCause::RingFull => "内核环形缓冲区已满",
                GapCause::Fragments => "数据包的分片没有到齐",
                GapCause::Restart => "代理程序重新启动",
            };
            format!("缺口：{}的 {bytes} 字节不在抓包中（{why}）。", party(from))
        }
        Say::Anomaly(id) => format!("异常：{}。", anomaly(id)),
        Say::Alert(title, id) => format!("告警：检测器 {id} 报告“{title}”。"),

        Say::End(reason) => match reason {
            EndReason::Fin => "会话正常结束。",
            EndReason::Rst => "会话被复位。",
            EndReason::Idle => "会话被放弃：长时间没有数据包。",
            EndReason::Evicted => "会话被放弃：表已满。",
            EndReason::Replaced => "会话已结束：另一个连接使用了相同的端口。",
            EndReason::EndOfInput => "输入结束时会话仍然打开。",
        }
        .into(),
        Say::Account(commands, replies, transfers, up, down) => format!(
            "命令 {commands} 条，应答 {replies} 条，传输 {transfers} 次；上传 {up} 字节，下载 {down} 字节。"
        ),
        Say::LeftOut(events) => format!("另有 {events} 个事件未列出。"),
        Say::PlainAcks => "仅确认数据的报文段没有画出。".into(),
        Say::Sessions(number, all) => {
            format!("共 {all} 个会话，这是第 {number} 个。其他会话可用 --follow 选择：")
        }
    }
}

fn party(party: Party) -> &'static str {
    match party {
        Party::Client => "客户端",
        Party::Server => "服务器",
        Party::Third => "另一台主机",
    }
}

fn it(is: u32, right: bool) -> String {
    if right { "正确".into() } else { format!("实际为 {is}，不正确") }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "完成。",
        Outcome::Aborted => "中止。",
        Outcome::Refused => "被服务器拒绝。",
        Outcome::Failed => "服务器开始传输但失败。",
        Outcome::NoData => "服务器报告完成，但没有看到数据连接。",
        Outcome::Short => "服务器报告完成，但传输的字节少于声明的大小。",
        Outcome::Unknown => "结果未知。",
    }
}

fn anomaly(id: AnomalyId) -> &'static str {
    match id {
        AnomalyId::MalformedCommand => "客户端的一行不符合命令的格式",
        AnomalyId::MalformedReply => "服务器的一行不是应答",
        AnomalyId::CommandTooLong => "命令行过长",
        AnomalyId::ReplyTooLong => "应答过长",
        AnomalyId::ReplyUnterminated => "多行应答的结尾与开头不一致",
        AnomalyId::TooManyPending => "等待应答的命令过多",
        AnomalyId::UnaskedReply => "应答没有对应的命令",
        AnomalyId::TransferWithoutEndpoint => "传输之前没有 PASV、PORT 等命令",
        AnomalyId::BadEndpoint => "文本中没有有效的端点",
        AnomalyId::UnexpectedPeer => "连接来自预期以外的主机",
        AnomalyId::OverlapConflict => "重传的字节与最初的不同",
        AnomalyId::DoubtfulSegment => "报文段与连接矛盾，可能是伪造的",
        AnomalyId::NotFtp => "对话不是 FTP",
        AnomalyId::CommandBehindAuth => "AUTH 之后、TLS 开始之前出现明文命令",
        AnomalyId::TelnetInCommand => "命令中夹有 Telnet 指令，可能用来掩盖命令",
        AnomalyId::EventFlood => "事件数超过会话的允许值，部分只计数",
        _ => "协议之外的情况",
    }
}
