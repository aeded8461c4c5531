"""Templates kept for REPORTING ONLY: other languages, other mail clients, other footers, other naming habits.

Never look at what correlation makes of these to change correlation, a finder or a threshold, and never train on them:
they stand for the companies nobody has seen. They were written without knowledge of the finders. What they show goes
into the report and nowhere else.
"""

from datetime import datetime

from benchmarks.accuracy.wording import Wording, angled


def _german_quote(name: str, address: str, at: datetime, text: str) -> str:
    return f"Am {at:%d.%m.%Y um %H:%M} schrieb {name} <{address}>:\n\n{angled(text)}"


def _german_outlook(name: str, address: str, at: datetime, text: str) -> str:
    sent = f"{at:%d.%m.%Y %H:%M}"
    return f"Von: {name} <{address}>\nGesendet: {sent}\nAn: Anforderungen\nBetreff: AW\n\n{text}"


def _german_forward(name: str, address: str, at: datetime, subject: str, text: str) -> str:
    head = f"Betreff: {subject}\nDatum: {at:%d.%m.%Y}\nVon: {name} <{address}>"
    return f"-------- Weitergeleitete Nachricht --------\n{head}\n\n\n{text}"


def _spanish_quote(name: str, address: str, at: datetime, text: str) -> str:
    return f"El {at:%d/%m/%Y} a las {at:%H:%M}, {name} (<{address}>) escribió:\n\n{angled(text)}"


def _spanish_forward(name: str, address: str, at: datetime, subject: str, text: str) -> str:
    head = f"De: {name} <{address}>\nFecha: {at:%d/%m/%Y %H:%M}\nAsunto: {subject}"
    return f"---------- Mensaje reenviado ----------\n{head}\n\n{text}"


def _hebrew_quote(name: str, address: str, at: datetime, text: str) -> str:
    return f"\u200fבתאריך {at:%d.%m.%Y} בשעה {at:%H:%M}, מאת {name} <{address}>:\u200f\n\n{angled(text)}"


def _hebrew_forward(name: str, address: str, at: datetime, subject: str, text: str) -> str:
    return f"---------- הודעה שהועברה ---------\nמאת: {name} <{address}>\nנושא: {subject}\n\n{text}"


def _japanese_quote(name: str, address: str, at: datetime, text: str) -> str:
    return f"{at:%Y}年{at.month}月{at.day}日 {at:%H:%M} {name} <{address}>:\n\n{angled(text)}"


def _japanese_forward(name: str, address: str, at: datetime, subject: str, text: str) -> str:
    return f"---------- 転送メッセージ ----------\n差出人: {name} <{address}>\n件名: {subject}\n\n{text}"


def _lotus(name: str, address: str, at: datetime, text: str) -> str:
    """HCL Notes: a block in columns, nothing marked."""
    return f"From:        {name}\nTo:        Requests\nDate:        {at:%d/%m/%Y %H:%M}\nSubject:        Re\n\n{text}"


def _french_quote(name: str, address: str, at: datetime, text: str) -> str:
    return f"Le {at:%d/%m/%Y} à {at:%H:%M}, {name} a écrit :\n\n{angled(text)}"


def _french_forward(name: str, address: str, at: datetime, subject: str, text: str) -> str:
    return f"-------- Message transféré --------\nSujet : {subject}\nDe : {name} <{address}>\n\n{text}"


GERMAN = Wording(
    given=("Jürgen", "Änne", "Björn", "Käthe", "Sören", "Ulrike", "Götz", "Heiko"),
    family=("Müller", "Schäfer", "Groß", "Köhler", "Böhm", "Weiß", "Jäger", "Lütz"),
    verbs=("Anpassung", "Erweiterung", "Ablösung", "Prüfung", "Umbau", "Korrektur", "Freigabe"),
    things=("der Rechnungsausgabe", "des Kundenportals", "der Mahnläufe", "der Lagerliste", "des Exports",
            "der Preisfindung", "der Schnittstelle", "des Freigabeschritts", "der Suchmaske"),
    places=("für das Werk Süd", "im Webshop", "für den Einkauf", "zum Quartalsende", "für die Niederlassung Köln",
            "im Altsystem", "für den Außendienst", "vor dem Jahresabschluss"),
    topic_form="{verb} {thing} {place}",
    asks=("Sehr geehrte Damen und Herren,\n\nwir bitten um Folgendes: {topic}. Bis wann wäre das möglich?",
          "Hallo zusammen,\n\n{topic} – könnt ihr das bitte einplanen?"),
    answers=("Danke, wir kümmern uns darum.", "Gibt es hierzu schon Neuigkeiten?", "Passt so, bitte umsetzen.",
             "Wir haben getestet, zwei Punkte sind offen."),
    naming=("Der Vorgang läuft bei uns unter {key}.", "Näheres siehe {key}.", "Bezug: {key}", "Ticket {key} dazu."),
    subjects_with_key=("{topic} / {key}", "{key} – {topic}", "Vorgang {key}: {topic}"),
    reply_prefixes=("AW:", "Antw:"),
    forward_prefixes=("WG:", "Wtr:"),
    quotes=(_german_quote, _german_outlook),
    forwards=(_german_forward,),
    signatures=("Mit freundlichen Grüßen\n{name}\n\nBeispiel GmbH | HRB 12{number} | Geschäftsführer: A. Beispiel",
                "Viele Grüße\n{name}\n____________________\nBitte denken Sie an die Umwelt, bevor Sie drucken",
                "MfG {name}"),
    template_subjects=("Bestellung", "Anfrage", "Zugang beantragt"),
    forward_notes=("Zur Info, siehe unten.", "Bitte übernehmen."),
)  # fmt: skip

SPANISH = Wording(
    given=("José", "María", "Íñigo", "Begoña", "Ángel", "Lucía"),
    family=("Núñez", "García", "Peña", "Ibáñez", "López", "Muñoz"),
    verbs=("Cambiar", "Ampliar", "Revisar", "Corregir", "Eliminar", "Traducir"),
    things=("la factura electrónica", "el catálogo", "el panel de ventas", "la búsqueda", "el aviso de envío",
            "la lista de precios", "el informe anual"),
    places=("para la tienda", "en el almacén", "para México", "en la aplicación", "antes de verano", "para el banco"),
    topic_form="{verb} {thing} {place}",
    asks=("Buenos días:\n\nnecesitamos lo siguiente: {topic}. ¿Cuándo podría estar?",
          "Hola,\n\n¿podéis mirar esto? {topic}."),
    answers=("Gracias, lo revisamos.", "¿Hay novedades?", "De acuerdo, adelante.", "Probado, funciona."),
    naming=("Lo seguimos en {key}.", "Véase {key}.", "Referencia interna: {key}."),
    subjects_with_key=("{topic} [{key}]", "{key} · {topic}"),
    reply_prefixes=("RE:", "Rv:"),
    forward_prefixes=("RV:", "Reenv:"),
    quotes=(_spanish_quote,),
    forwards=(_spanish_forward,),
    signatures=("Un saludo,\n{name}", "Atentamente,\n{name}\nAviso legal: este mensaje es confidencial. Ref. {number}"),
    template_subjects=("Pedido nuevo", "Solicitud de acceso"),
    forward_notes=("Os lo paso.", "Para vosotros."),
)  # fmt: skip

HEBREW = Wording(
    given=("דנה", "יוסי", "מיכל", "אורי", "נועה"),
    family=("כהן", "לוי", "מזרחי", "פרץ", "אברהם"),
    verbs=("להוסיף", "לתקן", "להחליף", "לבדוק", "לשפר"),
    things=("את החשבונית", "את הדוח החודשי", "את החיפוש", "את רשימת המחירים", "את מסך הכניסה", "את הייצוא"),
    places=("בחנות", "במחסן", "לצוות המכירות", "באפליקציה", "לסניף החדש", "לפני החג"),
    topic_form="{verb} {thing} {place}",
    asks=("שלום,\n\nאנחנו צריכים: {topic}. מתי אפשר?", "היי,\n\n{topic}, בבקשה."),
    answers=("תודה, נבדוק.", "יש חדש?", "מאשר, אפשר להמשיך.", "בדקנו, עובד."),
    naming=("מספר הפנייה אצלנו: \u200e{key}\u200e", "ראו {key}.", "זה במעקב תחת \u2066{key}\u2069."),
    subjects_with_key=("\u200f{topic} ({key})\u200f", "{key} - {topic}"),
    reply_prefixes=("Re:", "תגובה:"),
    forward_prefixes=("Fwd:", "העברה:"),
    quotes=(_hebrew_quote,),
    forwards=(_hebrew_forward,),
    signatures=("בברכה,\n{name}", "תודה\n{name}\nנשלח מהנייד שלי"),
    template_subjects=("הזמנה חדשה", "בקשת גישה"),
    forward_notes=("לידיעתך.", "לטיפולך, תודה."),
)  # fmt: skip

JAPANESE = Wording(
    given=("太郎", "花子", "健", "美咲"),
    family=("佐藤", "鈴木", "高橋", "渡辺"),
    verbs=("の追加", "の修正", "の変更", "の確認", "の廃止"),
    things=("請求書出力", "在庫一覧", "検索画面", "価格表", "月次レポート", "承認手順"),
    places=("店舗の", "倉庫の", "営業部の", "アプリの", "大阪支店の", "年度末の"),
    topic_form="{place}{thing}{verb}",
    asks=("お世話になっております。\n\n{topic}をお願いいたします。",
          "お疲れ様です。\n\n{topic}について、ご確認ください。"),
    answers=("承知いたしました。", "進捗はいかがでしょうか。", "問題ございません。", "確認しました。"),
    naming=("管理番号は{key}です。", "詳細は{key}をご覧ください。", "{key}にて対応中です。"),
    subjects_with_key=("【{key}】{topic}", "{topic}（{key}）", "{topic}の件 {key}"),
    reply_prefixes=("Re:", "返信:"),
    forward_prefixes=("Fw:", "転送:"),
    quotes=(_japanese_quote,),
    forwards=(_japanese_forward,),
    signatures=("よろしくお願いいたします。\n{name}", "--------------------\n{name}\nTEL 03-0000-0{number}"),
    template_subjects=("新規注文", "アクセス申請"),
    forward_notes=("ご参考まで。", "ご対応お願いします。"),
)  # fmt: skip

FRENCH_NOTES = Wording(
    given=("Zoé", "François", "Hélène", "Noël", "Gaëlle"),
    family=("Lefèvre", "Gauthier", "Brûlé", "Désiré", "Maître"),
    verbs=("Ajouter", "Corriger", "Remplacer", "Étendre", "Vérifier"),
    things=("la facture", "le tableau de bord", "l'export", "la recherche", "le tarif", "l'alerte de stock"),
    places=("pour Lyon", "dans la boutique", "pour l'entrepôt", "pour la paie", "avant la rentrée"),
    topic_form="{verb} {thing} {place}",
    asks=("Bonjour,\n\nnous aurions besoin de ceci : {topic}. Quel serait le délai ?",
          "Bonjour à tous,\n\n{topic}, svp."),
    answers=("Merci, on regarde.", "Des nouvelles ?", "C'est bon pour nous.", "Testé, il reste deux points."),
    naming=("Nous suivons cela dans {key}.", "Cf. {key}", "Dossier {key}, pour mémoire."),
    subjects_with_key=("{topic} : {key}", "#{key}# {topic}", "{key} | {topic}"),
    reply_prefixes=("Rép. :", "RE:"),
    forward_prefixes=("TR:", "Tr :"),
    quotes=(_french_quote, _lotus),
    forwards=(_french_forward,),
    signatures=("Cordialement,\n{name}", "Bien à vous\n{name}\n\nCe message est confidentiel (réf. {number})."),
    template_subjects=("Nouvelle commande", "Demande d'accès"),
    forward_notes=("Pour info.", "À traiter, merci."),
)  # fmt: skip

WORDINGS = (GERMAN, SPANISH, HEBREW, JAPANESE, FRENCH_NOTES)
"""One to each customer, by turns."""
